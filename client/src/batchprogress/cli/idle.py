"""Notices that an iterator yields nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def with_silences(
    items: AsyncGenerator[Item, None], seconds: float
) -> AsyncGenerator[Item | None, None]:
    """Yield the items, and None each time that this number of seconds has passed without one.

    The items are closed at the end: a task that is cancelled before it has begun does not reach them.
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
