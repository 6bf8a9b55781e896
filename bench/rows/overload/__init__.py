"""Measures what happens if more is reported than the server can record."""
