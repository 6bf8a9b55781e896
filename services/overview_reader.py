"""Reads an overview of the database regularly, for the metrics: a scrape must not cost a query."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from batches.errors import DatabaseUnavailable

READ_SECONDS = 15.0
"""As often as Prometheus usually scrapes."""

Overview = TypeVar("Overview")

_log = structlog.get_logger()


class OverviewReader(Generic[Overview]):
    """Keeps the newest overview.

    Args:
        read: reads an overview.
        failure: the sentence that is logged if a read fails for another reason than the database.

    """

    def __init__(self, read: Callable[[], Awaitable[Overview]], failure: str) -> None:
        self._read = read
        self._failure = failure
        self._is_broken = False
        self.newest: Overview | None = None
        """None before the first read and while reads fail: the metrics are missing then."""

    async def run(self) -> None:
        """Read for ever. No error here ends the program, which works without these metrics."""
        while True:
            self.newest = await self._read_or_none()
            await asyncio.sleep(READ_SECONDS)

    async def _read_or_none(self) -> Overview | None:
        try:
            overview = await self._read()
        except DatabaseUnavailable:
            return None  # the store has logged the reason
        except Exception as error:  # noqa: BLE001  # a defect that only metrics suffer from
            self._log_first(error)
            return None
        self._is_broken = False
        return overview

    def _log_first(self, error: Exception) -> None:
        """Log the first of consecutive failures."""
        if not self._is_broken:
            _log.error(self._failure, exc_info=error)
        self._is_broken = True
