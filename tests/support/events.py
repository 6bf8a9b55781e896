"""Server-sent events of a gateway, as a client without a library reads them."""

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.support.gateway import SECONDS_MAX, Door, parts_of

PATH = "/v1/batch/events"
COMMENT = ""
"""The name of an event that is only a comment."""


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event, or a comment."""

    name: str
    data: str = ""
    event_id: str | None = None

    @property
    def json(self) -> Any:
        """The data, parsed as JSON."""
        return json.loads(self.data)


def path_of(batch_id: str) -> str:
    """Return the path of the events of a batch."""
    return f"{PATH}?batch_id={quote(batch_id, safe='')}"


@asynccontextmanager
async def viewed(
    door: Door, batch_id: str, **headers: str
) -> AsyncIterator[tuple[dict[str, str], AsyncGenerator[Event, None]]]:
    """View a batch while the context is open; yields the headers of the answer and its events."""
    async with _answer(door, path_of(batch_id), headers) as answer:
        yield answer


@asynccontextmanager
async def _answer(
    door: Door, path: str, headers: dict[str, str]
) -> AsyncIterator[tuple[dict[str, str], AsyncGenerator[Event, None]]]:
    async with door.answering("GET", path, b"", headers) as (status, named, reader):
        assert status == 200, (status, named)
        parts = parts_of(named, reader)
        yield named, events_of(_unzipped(parts) if "content-encoding" in named else parts)


@asynccontextmanager
async def events(door: Door, batch_id: str, **headers: str) -> AsyncIterator[AsyncGenerator[Event, None]]:
    """View a batch while the context is open; yields its events, without comments."""
    async with path_events(door, path_of(batch_id), **headers) as found:
        yield found


@asynccontextmanager
async def path_events(door: Door, path: str, **headers: str) -> AsyncIterator[AsyncGenerator[Event, None]]:
    """View a path while the context is open; yields its events, without comments."""
    async with _answer(door, path, headers) as (_, found):
        yield (event async for event in found if event.name != COMMENT)


async def _unzipped(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    async for part in parts:
        yield gzip.decompress(part)


async def events_of(parts: AsyncIterator[bytes]) -> AsyncGenerator[Event, None]:
    """Yield the events and comments of a body."""
    buffer = b""
    async with asyncio.timeout(SECONDS_MAX):
        async for part in parts:
            buffer += part
            while b"\n\n" in buffer:
                block, buffer = buffer.split(b"\n\n", 1)
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if ": " in line)
                if "retry" not in fields:
                    yield Event(fields.get("event", COMMENT), fields.get("data", ""), fields.get("id"))
    assert not buffer
