"""Client and AsyncClient behind one face: each rule is tested on both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from batchprogress import AsyncClient, Client


class Either:
    """A client of one of the two kinds."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method and return its answer."""
        method = getattr(self.client, name)
        if isinstance(self.client, AsyncClient):
            return await method(*arguments, **options)
        return await asyncio.to_thread(method, *arguments, **options)

    async def every(self, name: str, *arguments: Any, **options: Any) -> list[Any]:
        """Call a method that iterates and return all of its items."""
        items = getattr(self.client, name)(*arguments, **options)
        if isinstance(self.client, AsyncClient):
            return [item async for item in items]
        return await asyncio.to_thread(list, items)


@asynccontextmanager
async def opened(kind: type[Client | AsyncClient], target: str, **options: Any) -> AsyncIterator[Either]:
    """Give a client of this kind, and close it at the end of the context."""
    either = Either(kind(target, **options))
    try:
        yield either
    finally:
        await either.call("close")
