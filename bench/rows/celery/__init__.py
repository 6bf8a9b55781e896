"""Compares a Celery group that is watched through our server with one that is polled."""
