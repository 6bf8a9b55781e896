"""A flag that wakes one task."""

import asyncio

from services.progress.wakes import Wakes


class Flag:
    """Wakes the task that waits for it: an asyncio.Event for a single one.

    An Event has a queue for any number of waiters, which takes 760 bytes: a tenth of what a watch needs
    besides its stream.

    Args:
        wakes: wakes the task when it is its turn.

    """

    __slots__ = ("_is_set", "_waiter", "_wakes")

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._is_set

    def set(self) -> None:
        """Set the flag, and wake the task that waits for it."""
        if not self._is_set:
            self._is_set = True
            if self._waiter is not None:
                self._wakes.add(self._waiter)

    def clear(self) -> None:
        """Clear the flag."""
        self._is_set = False

    async def wait(self, seconds_max: float | None = None) -> None:
        """Wait until the flag is set and it is the task's turn; one task at a time may do that.

        Args:
            seconds_max: after this time the flag is set. Default: it is not.

        """
        if self._is_set:
            await self._wakes.turn()
            return
        loop = asyncio.get_running_loop()
        timer = None if seconds_max is None else loop.call_later(seconds_max, self.set)
        self._waiter = loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
