"""Upgrades the schema of a database, and checks that this version can run on it."""
