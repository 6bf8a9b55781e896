"""Measures what a post through the gateway costs, beside what it is made of."""
