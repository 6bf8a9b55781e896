"""ProgressService: workers report, results are recorded in groups, watchers see it."""
