"""The deployables that serve. None of them imports another."""
