"""The dashboard: a web page that watches batches, as any other client of ProgressService."""
