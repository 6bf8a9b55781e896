"""Reads how all batches are, again and again, for the metrics: never at a scrape, which must cost nothing."""

import asyncio
from collections.abc import Awaitable, Callable

from batches.errors import DatabaseUnavailable
from batches.store.overview import Overview

READ_SECONDS = 15.0
"""As often as Prometheus usually asks; a batch is stuck after minutes."""


class OverviewReader:
    """Keeps the newest overview."""

    def __init__(self, read: Callable[[], Awaitable[Overview]]) -> None:
        """Take what reads it."""
        self._read = read
        self.newest: Overview | None = None
        """None until it was read once, and while the database does not answer: no number is told then."""

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                self.newest = await self._read()
            except DatabaseUnavailable:
                self.newest = None
            await asyncio.sleep(READ_SECONDS)
