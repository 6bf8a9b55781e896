"""Lets a few calls run at a time, and a few more wait for their turn."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from services.dashboard.errors import Busy

WAIT_SECONDS_MAX = 5.0
"""How long a call waits for its turn: as long as a page waits for an answer of the server."""

Answer = TypeVar("Answer")


class Lane:
    """A bound on calls of one kind: strangers may ask the dashboard anything at any rate, without a token.

    Args:
        running_max: calls at a time.
        waiting_max: calls that wait at a time.

    """

    def __init__(self, running_max: int, waiting_max: int) -> None:
        self._free = asyncio.Semaphore(running_max)
        self._admitted_max = running_max + waiting_max
        self._admitted = 0

    def admit(self, call: Callable[[], Coroutine[Any, Any, Answer]]) -> Coroutine[Any, Any, Answer]:
        """Return a coroutine that waits for a turn and makes the call. It must be awaited.

        Raises:
            Busy: too many others wait; the coroutine raises it, too, if its turn does not come in time.

        """
        if self._admitted >= self._admitted_max:
            raise Busy
        self._admitted += 1
        return self._in_turn(call)

    async def _in_turn(self, call: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        try:
            await self._wait()
            try:
                return await call()
            finally:
                self._free.release()
        finally:
            self._admitted -= 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
