"""The rules of a batch, without a database."""
