"""make run: the story this product exists for, on real processes. A user, outside: imports no server code."""
