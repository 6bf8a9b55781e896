"""The web page: static files that call the public HTTP API, as any other client could."""
