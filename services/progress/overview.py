"""Reads how all batches are, again and again, for the metrics: never at a scrape, which must cost nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from batches.errors import DatabaseUnavailable
from batches.overview import Overview

READ_SECONDS = 15.0
"""As often as Prometheus usually asks; a batch is stuck after minutes."""

_log = structlog.get_logger()


class OverviewReader:
    """Keeps the newest overview."""

    def __init__(self, read: Callable[[], Awaitable[Overview]]) -> None:
        """Take what reads it."""
        self._read = read
        self._is_broken = False
        self.newest: Overview | None = None
        """None until it was read once, and while it cannot be read: no number is told then."""

    async def run(self) -> None:
        """Read for ever; nothing that goes wrong here ends the server, which works without metrics."""
        while True:
            self.newest = await self._read_or_none()
            await asyncio.sleep(READ_SECONDS)

    async def _read_or_none(self) -> Overview | None:
        try:
            overview = await self._read()
        except DatabaseUnavailable:
            return None  # the store has logged why
        except Exception as error:  # noqa: BLE001  # a defect, of metrics only
            self._tell(error)
            return None
        self._is_broken = False
        return overview

    def _tell(self, error: Exception) -> None:
        """Log the first of a row of failures."""
        if not self._is_broken:
            _log.error("the metrics of the batches cannot be read", exc_info=error)
        self._is_broken = True
