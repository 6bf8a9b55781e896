"""When a pass begins no further batch, and when it gives up those under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TIME_IS_OVER = "its time was over"

FINISH_SECONDS_MAX = 8.0
"""What a batch under way still gets: below the 15 s between SIGTERM and SIGKILL and the 30 s between the
pass's own limit and the Job's, so that the lease is given back and the report is printed."""


class PassEnd:
    """Ends a pass after its time, or earlier for a reason. Belongs to the running loop."""

    def __init__(self, seconds_max: float, *, finish_seconds_max: float = FINISH_SECONDS_MAX) -> None:
        """Start the clock."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(seconds_max, self.cut, TIME_IS_OVER)
        self._finish_seconds_max = finish_seconds_max
        self._limits: set[asyncio.Timeout] = set()
        self.why = ""
        """Why it was cut short, as a sentence; empty as long as it is not."""

    @property
    def is_over(self) -> bool:
        """Whether no further batch may be begun."""
        return bool(self.why)

    def cut(self, why: str) -> None:
        """Begin nothing more, and limit what is under way; the first reason stays."""
        if self.is_over:
            return
        self.why = why
        for limit in self._limits:
            limit.reschedule(self._loop.time() + self._finish_seconds_max)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Limit what goes on after the end; raises TimeoutError where it takes too long."""
        async with asyncio.timeout(self._finish_seconds_max if self.is_over else None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def close(self) -> None:
        """Stop the clock."""
        self._timer.cancel()
