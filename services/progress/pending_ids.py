"""The ids of batches that the change feed should read now, without waiting for its next tick."""

import asyncio
from collections.abc import Iterable


class PendingIds:
    """A set of ids that can be waited for: an id that is added twice is read once."""

    def __init__(self) -> None:
        self._batch_ids: set[str] = set()
        self._arrived = asyncio.Event()

    def add(self, batch_ids: Iterable[str]) -> None:
        """Add the ids of batches that have changed, or whose state is needed."""
        self._batch_ids.update(batch_ids)
        if self._batch_ids:
            self._arrived.set()

    async def wait(self, seconds_max: float) -> None:
        """Return when there are ids, or after `seconds_max`."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._arrived.wait()
        except TimeoutError:
            return

    def pop_all(self) -> set[str]:
        """Return all ids and remove them."""
        popped, self._batch_ids = self._batch_ids, set()
        self._arrived.clear()
        return popped
