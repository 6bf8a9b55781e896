"""Speed and cost, measured; nothing here is a test."""
