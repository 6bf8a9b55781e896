"""The client with real servers and real processes."""
