"""Hooks for exit, fork and SIGTERM of the worker's process. Private: may change in any version."""
