"""The deployable in front of a queue: JobStatusService over one source, one file a source."""
