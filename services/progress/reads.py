"""Reads of the database on behalf of callers: each has a bounded share of the connections.

A read is over when the database has answered. That of a cancelled call is run to its end, since the statement
cannot be taken back; otherwise a caller could occupy every connection by cancelling its calls.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from rpc.answers.handlers import Context
from rpc.callers.limits import Usage
from rpc.callers.principal import caller

CALLER_SHARE = 2
"""One caller's reads use at most this part of the connections, one half: another caller always finds some."""

Request = TypeVar("Request")
Result = TypeVar("Result")
Method = Callable[[Any, Request, Context], Coroutine[Any, Any, Result]]
"""A method of a servicer."""


class Reads:
    """Runs the reads of callers.

    Args:
        connections: the size of the pool that all reads share.

    """

    def __init__(self, connections: int) -> None:
        self._at_once = max(1, connections // CALLER_SHARE)
        self._lines: WeakKeyDictionary[Usage, asyncio.Semaphore] = WeakKeyDictionary()

    async def run(self, read: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Run a read of the caller when it is its turn.

        Raises:
            Refusal: the caller has too many reads under way.
            Exception: what the read raises.

        """
        principal = caller()
        usage = principal.usage
        usage.acquire_read(principal.limits)
        line = self._lines.setdefault(usage, asyncio.Semaphore(self._at_once))
        try:
            await line.acquire()
        except BaseException:  # a cancelled call does not wait any longer
            usage.release_read()
            raise
        reading = asyncio.create_task(read())
        reading.add_done_callback(partial(_release, usage, line))
        return await asyncio.shield(reading)


def _release(usage: Usage, line: asyncio.Semaphore, _reading: asyncio.Task[Any]) -> None:
    usage.release_read()
    line.release()


def counted_read(method: Method[Request, Result]) -> Method[Request, Result]:
    """Let the calls of a method count as reads of their callers; its servicer has the attribute `reads`."""

    @wraps(method)
    async def counted(self: Any, request: Request, context: Context) -> Result:
        reads: Reads = self.reads
        return await reads.run(partial(method, self, request, context))

    return counted
