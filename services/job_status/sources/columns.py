"""Checks of numbers in a queue: SQLite stores any type in any column, and JSON has numbers of any size."""

from batches.result import ATTEMPT_MAX
from services.job_status.source import QueueContradiction
from services.job_status.sources.unreadable import Unreadable


def require_int(column: str, value: object) -> int:
    """Return the value of an integer column.

    Raises:
        QueueContradiction: the value is not an integer.

    """
    if not isinstance(value, int):
        raise QueueContradiction(f"{column} is not an integer")
    return value


def attempt_after(retries: object) -> int:
    """Return the attempt that follows a number of retries; None counts as 0.

    Raises:
        Unreadable: it is not a number of retries.

    """
    if retries is None:
        return 1
    if type(retries) is not int or not 0 <= retries < ATTEMPT_MAX:
        raise Unreadable("its number of retries is not a number from 0 to 2,147,483,646")
    return retries + 1
