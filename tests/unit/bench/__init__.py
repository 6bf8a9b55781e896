"""The benchmark: its history, and the check of its ratios."""
