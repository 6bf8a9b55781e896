"""Hooks into the life of the worker's process: exit, fork, SIGTERM. Private: may change in any version."""
