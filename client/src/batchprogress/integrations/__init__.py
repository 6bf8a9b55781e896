"""Beside a queue, by its own hooks: one file for each, and each needs the extra of its name."""
