"""A source of batches that a test controls, and a client of the streams over it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.caller import Callers, Metadata
from services.gateway.live.admission import Admissions
from services.gateway.live.batch_events import PATH, BatchEvents
from services.gateway.live.batch_topic import BatchTopic, follow_batch
from services.gateway.live.event_stream import ViewerRoom
from services.gateway.live.problems import away
from services.gateway.live.snapshot import Snapshot, to_snapshot
from services.gateway.live.viewer_hub import HubBounds, ViewerHub

SECONDS_MAX = 10.0
ENDED = pb.BATCH_STATE_COMPLETED


def batch(
    revision: int, state: pb.BatchState.ValueType = pb.BATCH_STATE_PROCESSING, **fields: Any
) -> pb.Batch:
    """Return a batch at a revision."""
    return pb.Batch(batch_id="b", revision=revision, state=state, **fields)


class Source:
    """A source whose watches a test fills and breaks."""

    def __init__(self) -> None:
        self.now = batch(1)
        self.opened: list[tuple[str, int]] = []
        self.open = 0
        self.reads = 0
        self.is_away = False
        self.failures = 0
        """Watches that fail at once."""
        self.news: asyncio.Queue[pb.Batch | Exception | None] = asyncio.Queue()
        """An error breaks a watch, and None is a heartbeat."""

    async def get_batch(self, _batch_id: str, _metadata: Metadata) -> pb.Batch:
        """Return the current state to a viewer."""
        self.reads += 1
        return self.now

    async def read(self, _batch_id: str) -> Snapshot:
        """Return the current state."""
        return to_snapshot(self.now)

    async def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot | None, None]:
        """Yield the states of the test, and raise its errors; EOFError ends the watch."""
        self.opened.append((batch_id, after_revision))
        if self.is_away or len(self.opened) <= self.failures:
            raise away()
        self.open += 1
        try:
            yield None
            if self.now.revision != after_revision:
                yield to_snapshot(self.now)
            while True:
                news = await self.news.get()
                if isinstance(news, EOFError):
                    return
                if isinstance(news, Exception):
                    raise news
                self.now = news or self.now
                yield None if news is None else to_snapshot(news)
        finally:
            self.open -= 1

    def change(self, *news: pb.Batch | Exception | None) -> None:
        """Let the open watch bring something."""
        for one in news:
            self.news.put_nowait(one)


Hub = ViewerHub[str, BatchTopic]


def hub_of(source: Source, *, topic_viewers_max: int = 1_000, topics_max: int = 10) -> Hub:
    """Return a hub over a source."""
    bounds = HubBounds("batch", topic_viewers_max, topics_max)
    return ViewerHub(BatchTopic, partial(follow_batch, source), bounds)


class Client:
    """A viewer over ASGI that reads when a test wants.

    Args:
        streams: the application.
        headers: its headers.

    """

    def __init__(self, streams: BatchEvents, **headers: str) -> None:
        self._parts: asyncio.Queue[bytes] = asyncio.Queue(1)
        self.left = asyncio.Event()
        self.status = 0
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": PATH, "query_string": b"batch_id=b", "headers": raw}
        self.task = asyncio.create_task(streams(scope, self._receive, self._send))

    async def part(self) -> str:
        """Read what is sent next; empty at the end."""
        async with asyncio.timeout(SECONDS_MAX):
            return (await self._parts.get()).decode()

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            await self._parts.put(message.get("body", b""))


@dataclass(frozen=True, slots=True)
class Streamed:
    """The streams over a source."""

    streams: BatchEvents
    hub: Hub
    room: ViewerRoom


@asynccontextmanager
async def streamed(source: Source) -> AsyncGenerator[Streamed, None]:
    """Yield the streams over a source, and end them."""
    hub, room = hub_of(source), ViewerRoom(1_000)
    try:
        yield Streamed(BatchEvents(hub, Admissions(source.get_batch), room, Callers(None)), hub, room)
    finally:
        await hub.close()


async def until(holds: Callable[[], bool], wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():
            await wait(0.001)
