"""The parts of the web component that need no browser."""
