"""Server-sent events: how a viewer is let in, waits, and leaves.

A stream that ends without a last event was cut: its client connects again with Last-Event-ID.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Generic

import grpc
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from services.gateway.contract.answers import Answer, busy, draining
from services.gateway.contract.caller import Callers
from services.gateway.contract.json_answers import error_json, send_error, send_not_allowed
from services.gateway.live import sse
from services.gateway.live.admission import Admissions, Found
from services.gateway.live.problems import away
from services.gateway.live.viewer_hub import AnyTopic, Key, ViewerHub

QUIET_SECONDS_MAX = 15.0
"""The interval of the comments that keep a quiet stream open: many proxies cut one after 60 s."""
RETRY_MILLISECONDS = (1_000, 3_000)
"""When a client connects again after a restart: all of them do, so each is told another time."""
FIRST_SECONDS_MAX = 12.0
"""How long a viewer waits for the first state: longer than a watch may take to open."""
OK = 200
LAST_EVENT_ID = "last-event-id"
PASSING = frozenset(
    {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
    }
)
"""Failures that pass."""
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),  # a proxy that compresses would collect events
)


class ViewerRoom:
    """The places of the viewers of all streams of a gateway.

    Args:
        viewers_max: viewers at a time.

    """

    def __init__(self, viewers_max: int) -> None:
        self.viewers_max = viewers_max
        self.viewers = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keep a place while the context is open; raises an Answer if there is none."""
        if self.viewers >= self.viewers_max:
            raise busy("this gateway has too many viewers; try again")
        self.viewers += 1
        try:
            yield
        finally:
            self.viewers -= 1


class Viewer:
    """A viewer, the last event that it has, and the flag that wakes it.

    Args:
        receive: returns once the viewer has left.
        known: the id of the last event that it has; None: it has none.

    """

    def __init__(self, receive: Receive, known: str | None) -> None:
        self.flag = asyncio.Event()
        self.known = known
        self._leaving = asyncio.create_task(_left(receive))
        self._leaving.add_done_callback(lambda _: self.flag.set())

    @property
    def has_left(self) -> bool:
        """Whether nobody reads any longer."""
        return self._leaving.done()

    def close(self) -> None:
        """Stop waiting for it to leave."""
        self._leaving.cancel()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until something has changed; return False if nothing has for this long."""
        try:
            async with asyncio.timeout(seconds):
                await self.flag.wait()
        except TimeoutError:
            return False
        self.flag.clear()
        return True


class EventStreams(ABC, Generic[Key, AnyTopic, Found]):
    """Answers a path with events.

    Args:
        hub: shows the topics of viewers.
        admissions: lets viewers in.
        room: has a place for each viewer.
        callers: knows with whose token they are let in.

    """

    def __init__(
        self,
        hub: ViewerHub[Key, AnyTopic],
        admissions: Admissions[Key, Found],
        room: ViewerRoom,
        callers: Callers,
    ) -> None:
        self._hub = hub
        self._admissions = admissions
        self._room = room
        self._callers = callers

    @abstractmethod
    async def answer(self, scope: Scope, headers: Headers, viewer: Viewer, send: Send) -> None:
        """Send a stream; raises an Answer if there is none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "GET":
            await send_not_allowed(send)
            return
        headers = Headers(scope=scope)
        known = headers.get(LAST_EVENT_ID)
        try:
            with self._viewer(receive, known) as viewer:
                await self.answer(scope, headers, viewer, send)
        except Answer as answer:
            await _send_refusal(send, answer, known)

    @contextmanager
    def _viewer(self, receive: Receive, known: str | None) -> Iterator[Viewer]:
        if self._hub.is_closed:
            raise draining()
        with self._room.place():
            viewer = Viewer(receive, known)
            try:
                yield viewer
            finally:
                viewer.close()

    async def wait_for_first(self, viewer: Viewer, topic: AnyTopic) -> None:
        """Wait until there is something to see; raises an Answer if it cannot be seen."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS_MAX):
                while not topic.is_shown and topic.trouble is None and not self.is_over(viewer):
                    await viewer.wait()
        if self._hub.is_closed:
            raise draining()
        if not topic.is_shown:
            raise (topic.trouble or away()).answer

    def is_over(self, viewer: Viewer) -> bool:
        """Return whether nothing should be sent any more."""
        return self._hub.is_closed or viewer.has_left


async def send_parts(send: Send, parts: AsyncGenerator[bytes, None]) -> None:
    """Answer a request with a stream, no faster than its viewer reads.

    Args:
        send: sends the answer.
        parts: whole events.

    """
    await send({"type": "http.response.start", "status": OK, "headers": HEADERS})
    async with aclosing(parts):
        await send({"type": "http.response.body", "body": _retry(), "more_body": True})
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_refusal(send: Send, answer: Answer, known: str | None) -> None:
    """Answer a request that gets no stream.

    An EventSource gives up for good after a status other than 200: to one that connects again, the server is
    only away for a while.
    """
    if known is None or answer.grpc_code not in PASSING:
        await send_error(send, answer)
        return
    await send({"type": "http.response.start", "status": OK, "headers": HEADERS})
    await send({"type": "http.response.body", "body": _retry() + error_event("problem", answer)})


def error_event(name: str, answer: Answer) -> bytes:
    """Return an event with the body of an error."""
    return sse.event(name, error_json(answer).decode())


def _retry() -> bytes:
    return sse.retry(random.randint(*RETRY_MILLISECONDS))  # noqa: S311  # jitter is no secret
