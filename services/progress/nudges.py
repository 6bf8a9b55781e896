"""Ids of batches that should be looked at now instead of at the next tick."""

import asyncio
from collections.abc import Iterable


class Nudges:
    """A set that can be waited for; an id nudged twice before it is taken is looked at once."""

    def __init__(self) -> None:
        """Start empty."""
        self._batch_ids: set[str] = set()
        self._arrived = asyncio.Event()

    def add(self, batch_ids: Iterable[str]) -> None:
        """Ask for a look at batches."""
        self._batch_ids.update(batch_ids)
        if self._batch_ids:
            self._arrived.set()

    async def wait(self, seconds_max: float) -> None:
        """Return when there is something to take, or after so long."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._arrived.wait()
        except TimeoutError:
            return

    def take(self) -> set[str]:
        """Return the ids and forget them."""
        taken, self._batch_ids = self._batch_ids, set()
        self._arrived.clear()
        return taken
