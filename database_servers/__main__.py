"""Show which servers the tests will use, setting them up: run it once to warm up a machine."""

import sys

from database_servers import ENGINES, DatabaseServerUnavailable, describe


def main() -> int:
    """Print a line per engine; return 1 if one is missing."""
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
