"""Places among the batches about which the queue is asked at the same time."""

import asyncio


class Place:
    """The place of one batch. It is left while the database writes, so that the queue is asked about another.

    Args:
        places: The places of all batches.

    """

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._is_taken = False

    async def take(self) -> None:
        """Wait for a place, unless the batch has one."""
        if not self._is_taken:
            await self._places.acquire()
            self._is_taken = True

    def leave(self) -> None:
        """Give the place to another batch."""
        if self._is_taken:
            self._is_taken = False
            self._places.release()
