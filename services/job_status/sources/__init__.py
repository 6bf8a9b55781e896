"""The supported queues: one module for each source, registered in `wiring.SOURCES`."""
