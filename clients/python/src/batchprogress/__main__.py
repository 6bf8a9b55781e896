"""Runs the command line: python -m batchprogress."""

from batchprogress.cli import main

if __name__ == "__main__":
    main()
