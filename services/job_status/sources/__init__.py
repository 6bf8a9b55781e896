"""The queues that can be asked: one file a source, each registered by one line in `wiring`."""
