"""When a delivery that failed is tried again. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MINUTE = 60.0
_HOUR = 3_600.0

RETRY_SECONDS = (
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""After each failed attempt; together over three days, so that a receiver that breaks on a Friday evening
gets its events on Monday. They are those that Standard Webhooks recommends."""
JITTER_SHARE = 0.2
"""A wait is up to this share longer or shorter, so that deliveries that failed together are not sent together
again."""
RETRY_AFTER_SECONDS_MAX = 24 * _HOUR
"""A receiver may ask for as long as the longest wait, and not keep a delivery waiting for years."""


def retry_seconds(
    attempts: int,
    asked_seconds: float,
    draw: Callable[[], float],
    schedule: tuple[float, ...] = RETRY_SECONDS,
) -> float | None:
    """Return the seconds until the next attempt; None if there is none.

    Args:
        attempts: how many have failed.
        asked_seconds: what the receiver asked for with Retry-After; 0 if it did not.
        draw: returns a random number from 0 to 1.
        schedule: the waits after each attempt.

    """
    if attempts > len(schedule):
        return None
    wait = schedule[attempts - 1] * (1 + JITTER_SHARE * (2 * draw() - 1))
    return max(wait, min(asked_seconds, RETRY_AFTER_SECONDS_MAX))


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Return the seconds that a Retry-After asks for: a number or a date; 0 if it is neither."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # a longer number is centuries
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or a zone of many digits
        return 0.0
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
