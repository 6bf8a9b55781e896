"""A flag that wakes one task."""

import asyncio


class Flag:
    """Wakes the task that waits for it: an asyncio.Event for a single one.

    An Event has a queue for any number of waiters, which takes 760 bytes: a tenth of what a watch needs
    besides its stream.
    """

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._is_set

    def set(self) -> None:
        """Set the flag, and wake the task that waits for it."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Clear the flag."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until the flag is set; one task at a time may do that."""
        if self._is_set:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
