"""The rules that a store must keep on every database."""
