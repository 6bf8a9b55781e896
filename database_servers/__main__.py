"""python -m database_servers: set up the servers that tests use, and print which they are."""

import sys

from database_servers import ENGINES, DatabaseServerUnavailable, describe


def main() -> int:
    """Print a line for each engine; return 1 if one is missing."""
    missing = 0
    for engine in ENGINES:
        try:
            print(describe(engine))
        except DatabaseServerUnavailable as error:
            print(error, file=sys.stderr)
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
