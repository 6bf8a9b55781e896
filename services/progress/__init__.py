"""ProgressService: workers report results, which are recorded in groups and shown to watchers."""
