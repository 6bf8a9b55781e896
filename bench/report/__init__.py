"""What a run shows: comparisons with their targets, Markdown and plots."""
