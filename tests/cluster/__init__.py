"""The server on clusters of databases, with real engines: `make test-cluster`."""
