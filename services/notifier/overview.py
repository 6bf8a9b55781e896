"""Reads totals over all deliveries regularly, for the metrics: a scrape must not cost a query."""

import asyncio
from collections.abc import Awaitable, Callable

from batches.delivery import DeliveryOverview
from batches.errors import DatabaseUnavailable

READ_SECONDS = 15.0
"""As often as Prometheus usually scrapes."""


class OverviewReader:
    """Keeps the newest overview.

    Args:
        read: reads an overview.

    """

    def __init__(self, read: Callable[[], Awaitable[DeliveryOverview]]) -> None:
        self._read = read
        self.newest: DeliveryOverview | None = None
        """None before the first read and while reads fail: the metrics are missing then."""

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                self.newest = await self._read()
            except DatabaseUnavailable:
                self.newest = None  # the store has logged the reason
            await asyncio.sleep(READ_SECONDS)
