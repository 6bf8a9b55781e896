"""python -m batchprogress: the command line."""

from batchprogress.cli import main

if __name__ == "__main__":
    main()
