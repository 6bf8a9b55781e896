"""What is measured and how: contestants, windows, CPU time, memory, the databases of a run."""
