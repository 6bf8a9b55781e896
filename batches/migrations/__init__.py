"""Bringing a database to this version's schema, and telling whether it is there."""
