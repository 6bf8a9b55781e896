"""Tests of the command line as a process, against a real server."""
