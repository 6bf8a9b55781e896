"""The web component in Chromium, against a real gateway."""
