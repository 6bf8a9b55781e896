"""Rules of the code that every program shares."""
