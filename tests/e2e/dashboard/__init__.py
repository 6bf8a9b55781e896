"""The dashboard in Chromium, with all servers as processes."""
