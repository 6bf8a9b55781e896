"""Which transactions are tried again after an error, and when. Pure."""

from random import random

from sqlalchemy.exc import DBAPIError

from batches.store.refusals import CANNOT_CONNECT, LOCK_WAIT_TIMEOUT, Refusal, code_of, refusal_of

RETRY_STEP_SECONDS = 0.005
"""Half of the longest delay before the first retry; it doubles with each one."""
RETRY_DELAY_SECONDS_MAX = 0.5
"""Longer than it takes to resolve a deadlock; short, since the deadlines of waiting callers are running."""


def delay_seconds(tries: int) -> float:
    """Return how long to wait after so many tries, at random: transactions that met do not meet again."""
    longest = min(RETRY_DELAY_SECONDS_MAX, RETRY_STEP_SECONDS * 2.0**tries)
    return random() * longest  # noqa: S311  # not secret


def another_was_first(error: Exception) -> bool:
    """Return whether another transaction was first, and not only slow."""
    return (
        isinstance(error, DBAPIError)
        and refusal_of(error) is Refusal.CONFLICT
        and code_of(error) != LOCK_WAIT_TIMEOUT
    )


def may_write_later(error: BaseException) -> bool:
    """Return whether a transaction that writes may succeed if it is tried again."""
    return refusal_of(error) in {Refusal.CONFLICT, Refusal.ELSEWHERE}


def may_read_later(error: BaseException) -> bool:
    """Return the same for one that only reads.

    If nothing listens, its caller is told at once, and asks another server.
    """
    if isinstance(error, DBAPIError) and code_of(error) == CANNOT_CONNECT:
        return False
    return may_write_later(error)
