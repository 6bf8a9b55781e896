"""The integrations with queues: real workers, a real Redis and a real server."""
