"""JobStatusService in front of a queue: one source per queue, in a file of its own."""
