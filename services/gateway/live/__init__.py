"""Batches as server-sent events: all viewers of a batch share one watch of the progress server."""
