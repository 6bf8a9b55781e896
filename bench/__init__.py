"""Benchmarks: the speed and the cost of the server compared with alternatives."""
