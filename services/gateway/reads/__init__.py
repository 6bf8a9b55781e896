"""Reads by plain GET, with the fields of the request in the query."""
