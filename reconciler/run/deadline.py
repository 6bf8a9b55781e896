"""When a pass stops starting batches, and when it abandons those in progress."""

import asyncio
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FINISH_SECONDS_MAX = 8.0
"""How long batches in progress may still take. It is below the 15 s between SIGTERM and SIGKILL and the 30 s
between the pass's own limit and the Job's, so that the lease is released and the report is printed."""


class StopReason(enum.StrEnum):
    """Why a pass stops early, in the words of its report."""

    TIME_UP = "its time was up"
    SIGNAL = "stopped by a signal"
    DATABASE_UNAVAILABLE = "the database is unavailable"
    QUEUE_UNAVAILABLE = "the job-status service does not answer"
    ACCESS_DENIED = "the job-status service denies access"
    LEASE_LOST = "another pass took its lease"


FAILURES = frozenset(
    {
        StopReason.SIGNAL,
        StopReason.DATABASE_UNAVAILABLE,
        StopReason.QUEUE_UNAVAILABLE,
        StopReason.ACCESS_DENIED,
    }
)
"""Reasons after which a retry may do better. If the time was up, or another pass took the lease, the next
pass continues anyway."""


class Deadline:
    """Stops a pass when its time is up, or earlier. Belongs to the running event loop.

    Args:
        seconds_max: How long the pass may start batches.
        finish_seconds_max: How long batches in progress may take after that.

    """

    def __init__(self, seconds_max: float, *, finish_seconds_max: float = FINISH_SECONDS_MAX) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(seconds_max, self.stop, StopReason.TIME_UP)
        self._finish_seconds_max = finish_seconds_max
        self._limits: set[asyncio.Timeout] = set()
        self.stop_reason: StopReason | None = None
        """None until the pass is stopped."""

    @property
    def is_over(self) -> bool:
        """Whether no further batch may be started."""
        return self.stop_reason is not None

    def stop(self, reason: StopReason) -> None:
        """Start nothing more and limit what is in progress; only the first reason is kept."""
        if self.is_over:
            return
        self.stop_reason = reason
        for limit in self._limits:
            limit.reschedule(self._loop.time() + self._finish_seconds_max)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Limit the block once the pass has stopped.

        Raises:
            TimeoutError: The block took too long after that.

        """
        async with asyncio.timeout(self._finish_seconds_max if self.is_over else None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def close(self) -> None:
        """Stop the clock."""
        self._timer.cancel()
