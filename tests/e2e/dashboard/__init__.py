"""The dashboard in a real Chromium, over real processes."""
