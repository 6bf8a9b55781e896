"""The contract of the store, tested on every database."""
