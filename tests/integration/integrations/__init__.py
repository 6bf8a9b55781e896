"""The queues' integrations, with real workers on a real Redis and a real server."""
