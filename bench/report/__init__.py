"""The report of a run: comparisons with their targets, Markdown and plots."""
