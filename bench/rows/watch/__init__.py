"""Measures thousands of watchers of one batch."""
