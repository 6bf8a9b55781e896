"""Notices that a watch is silent: a stall changes nothing of a batch, so a watch does not send it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def with_silences(
    items: AsyncGenerator[Item, None], seconds: float
) -> AsyncGenerator[Item | None, None]:
    """Yield the items, and None each time that a number of seconds has passed without one.

    The items are closed at the end: a task that is cancelled before it has begun does not reach them.

    Args:
        items: such as a watch; none of them is None.
        seconds: how long a silence is.

    Yields:
        An item, or None for a silence.

    Example:
        >>> async for batch in with_silences(client.watch("sync-2026-11"), 5.0):
        ...     show(batch or await client.get("sync-2026-11"))

    """

    async def newer() -> Item | None:
        return await anext(items, None)

    async with aclosing(items):
        while True:
            item = asyncio.create_task(newer())
            try:
                while not (await asyncio.wait({item}, timeout=seconds))[0]:
                    yield None
            finally:
                if item.cancel():  # without effect once it is done
                    await asyncio.wait({item})
            received = item.result()
            if received is None:
                return
            yield received
