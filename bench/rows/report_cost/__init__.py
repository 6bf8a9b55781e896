"""Measures what a report costs the thread of its job."""
