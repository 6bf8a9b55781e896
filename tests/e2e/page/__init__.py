"""The page in Chromium, with all servers as processes."""
