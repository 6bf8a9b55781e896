"""The pure parts of the reconciler, and what it prints."""
