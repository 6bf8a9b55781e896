"""The examples in other languages, run as they are."""
