"""Processes that send load: reporters, watchers, reports at a fixed rate."""
