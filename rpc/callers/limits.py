"""Limits on what one caller uses at a time, so that no caller occupies a whole server."""

import time
from dataclasses import dataclass

import grpc

from rpc.answers.refusal import Refusal

READS_RETRY_SECONDS = 0.5
"""A read takes milliseconds, a slow one a second; half of it makes room without leaving the caller idle."""
WATCHES_RETRY_SECONDS = 30.0
"""Watches end when their batches do, which takes minutes."""
ROUNDING_SECONDS = 1e-6
"""Tolerance for floating point: the last allowed call of a second must not be refused."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a caller; None means unlimited."""

    calls_per_second_max: float | None = None
    results_in_flight_max: int | None = None
    """Results that were sent and are not recorded yet, even if their call was cancelled."""
    watches_max: int | None = None
    reads_max: int | None = None
    """Calls that read, running or waiting for a connection of the database, even if they were cancelled."""


UNLIMITED = Limits()


class Usage:
    """What a caller uses now, and when it called."""

    def __init__(self) -> None:
        self._watches = 0
        self._reads = 0
        self._full_at = 0.0
        """When, on the monotonic clock, a whole second's calls may be made at once again."""

    def count_call(self, limits: Limits) -> None:
        """Count a call.

        Raises:
            Refusal: CALLER_RATE; the call is not counted.

        """
        if limits.calls_per_second_max is None:
            return
        now, period = time.monotonic(), 1 / limits.calls_per_second_max
        full_at = max(self._full_at, now) + period
        wait_seconds = full_at - now - max(1.0, period)
        if wait_seconds > ROUNDING_SECONDS:
            raise _exhausted("CALLER_RATE", "this caller makes too many calls per second", wait_seconds)
        self._full_at = full_at

    def acquire_watch(self, limits: Limits) -> None:
        """Count an open watch.

        Raises:
            Refusal: CALLER_WATCHES; the watch is not counted.

        """
        if limits.watches_max is not None and self._watches >= limits.watches_max:
            message = "this caller has too many open watches"
            raise _exhausted("CALLER_WATCHES", message, WATCHES_RETRY_SECONDS)
        self._watches += 1

    def release_watch(self) -> None:
        """Stop counting a watch that was closed."""
        self._watches -= 1

    def acquire_read(self, limits: Limits) -> None:
        """Count a read.

        Raises:
            Refusal: CALLER_READS; the read is not counted.

        """
        if limits.reads_max is not None and self._reads >= limits.reads_max:
            message = "this caller has too many reads under way"
            raise _exhausted("CALLER_READS", message, READS_RETRY_SECONDS)
        self._reads += 1

    def release_read(self) -> None:
        """Stop counting a read that is over."""
        self._reads -= 1


def _exhausted(reason: str, message: str, retry_seconds: float) -> Refusal:
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, message, retry_delay_seconds=retry_seconds)
