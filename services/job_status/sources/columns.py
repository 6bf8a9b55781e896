"""Checks of column values: SQLite stores any type in any column, including NULL and text."""

from services.job_status.source import QueueContradiction


def require_int(column: str, value: object) -> int:
    """Return the value of an integer column.

    Raises:
        QueueContradiction: the value is not an integer.

    """
    if not isinstance(value, int):
        raise QueueContradiction(f"{column} is not an integer")
    return value
