"""Thousands of watchers of one batch."""
