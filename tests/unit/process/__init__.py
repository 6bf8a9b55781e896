"""Rules of what every process shares."""
