"""Rules of what both servers stand on."""
