"""JobStatusService on real servers, over real queues."""
