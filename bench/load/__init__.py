"""Processes that make load: reporters, watchers, reports at a fixed rate, filled tables."""
