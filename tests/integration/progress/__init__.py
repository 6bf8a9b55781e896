"""Rules of ProgressService, over the wire, on each database engine."""
