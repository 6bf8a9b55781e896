"""Wakes the tasks of watches a few at a time, so that reports get their turns between them."""

import asyncio
from collections import deque

WAKES_PER_TURN = 10
"""Tasks woken in one turn of the event loop. Each sends a state, which takes some 45 µs. The server accepts
one call in a few turns, and a report needs two dozen of them: when 10,000 watches were woken in one turn, it
took half a second, and no report was answered within 30 s."""


class Wakes:
    """The watches that are to be woken, in the order in which there was something for them."""

    def __init__(self) -> None:
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False

    def add(self, waiter: asyncio.Future[None]) -> None:
        """Wake the task that awaits a future, in one of the next turns of the event loop."""
        self._waiters.append(waiter)
        if not self._is_scheduled:
            self._schedule()

    async def turn(self) -> None:
        """Wait behind those that are to be woken."""
        waiter = asyncio.get_running_loop().create_future()
        self.add(waiter)
        await waiter

    def _schedule(self) -> None:
        self._is_scheduled = True
        asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        for _ in range(min(WAKES_PER_TURN, len(self._waiters))):
            waiter = self._waiters.popleft()
            if not waiter.done():  # the watch was cancelled
                waiter.set_result(None)
        self._is_scheduled = False
        if self._waiters:
            self._schedule()
