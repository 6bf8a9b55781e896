"""Rules that need a real server or a real database."""
