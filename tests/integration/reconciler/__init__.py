"""Whole passes, over real databases and a real gRPC service in front of a scripted queue."""
