"""Numbers as a database returned them: SQLite keeps what it is given, a NULL or a text too."""

from services.job_status.source import QueueContradiction


def whole_number(name: str, value: object) -> int:
    """Return the value of a column; QueueContradiction if it is no whole number."""
    if not isinstance(value, int):
        raise QueueContradiction(f"{name} is no whole number")
    return value
