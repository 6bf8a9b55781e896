"""Measuring: contestants, windows, CPU time and memory, and the stores of a run."""
