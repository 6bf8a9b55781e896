"""More reports than the server can record."""
