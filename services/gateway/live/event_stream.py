"""GET /v1/batch/events: a batch as server-sent events, from now to its end.

- `batch`: the batch as ProtoJSON, with its revision as the id.
- `problem`: why the batch may be out of date, as the body of an error; the next `batch` takes it back.
- `ended`: the last event, right after the `batch` that has ended.
- `refused`: the last event of a viewer that may not see the batch any longer, as the body of an error.

A stream that ends without `ended` or `refused` was cut: its client connects again with Last-Event-ID.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress

import grpc
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.answers import Answer, busy, draining
from services.gateway.contract.caller import Callers
from services.gateway.contract.json_answers import error_json, send_error, send_not_allowed, send_whole
from services.gateway.live import sse
from services.gateway.live.admission import Admission, Admissions
from services.gateway.live.problems import away
from services.gateway.live.snapshot import to_snapshot
from services.gateway.live.topic import Topic, View
from services.gateway.live.viewer_hub import ViewerHub
from services.gateway.reads.query import to_request

PATH = "/v1/batch/events"
QUIET_SECONDS_MAX = 15.0
"""The interval of the comments that keep a quiet stream open: many proxies cut one after 60 s."""
RETRY_MILLISECONDS = (1_000, 3_000)
"""When a client connects again after a restart: all of them do, so each is told another time."""
FIRST_SECONDS_MAX = 12.0
"""How long a viewer waits for the first state: longer than a watch may take to open."""
OK = 200
NO_CONTENT = 204
"""The answer to a client that has the end already: an EventSource then does not connect again."""
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


class EventStreams:
    """Answers PATH.

    Args:
        hub: shows the batches.
        admissions: lets viewers in.
        callers: knows with whose token they are let in.
        viewers_max: viewers at a time.

    """

    def __init__(self, hub: ViewerHub, admissions: Admissions, callers: Callers, viewers_max: int) -> None:
        self._hub = hub
        self._admissions = admissions
        self._callers = callers
        self.viewers_max = viewers_max
        self.viewers = 0

    @property
    def watches(self) -> int:
        """The number of watches of the progress server."""
        return self._hub.watches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "GET":
            await send_not_allowed(send)
            return
        headers = Headers(scope=scope)
        known = headers.get(LAST_EVENT_ID)
        try:
            with self._viewer(receive, known) as viewer:
                await self._answer(scope, headers, viewer, send)
        except Answer as answer:
            await _send_refusal(send, answer, known)

    async def close(self) -> None:
        """End all streams, so that their clients go on elsewhere."""
        await self._hub.close()

    @contextmanager
    def _viewer(self, receive: Receive, known: str | None) -> Iterator["_Viewer"]:
        if self._hub.is_closed:
            raise draining()
        if self.viewers >= self.viewers_max:
            raise busy("this gateway has too many viewers; try again")
        self.viewers += 1
        viewer = _Viewer(receive, known)
        try:
            yield viewer
        finally:
            self.viewers -= 1
            viewer.close()

    async def _answer(self, scope: Scope, headers: Headers, viewer: "_Viewer", send: Send) -> None:
        request = to_request(scope["query_string"], pb.GetBatchRequest)
        metadata = self._callers.metadata(headers, is_read=True)
        async with self._admissions.admitted(request.batch_id, metadata, viewer.flag) as admission:
            if admission.batch.state != pb.BATCH_STATE_PROCESSING:
                topic = Topic(View(to_snapshot(admission.batch), None))
                await self._stream(viewer, topic, admission, send)
                return
            with self._hub.viewing(request.batch_id, viewer.flag) as topic:
                await self._wait_for_first(viewer, topic)
                await self._stream(viewer, topic, admission, send)

    async def _wait_for_first(self, viewer: "_Viewer", topic: Topic) -> None:
        """Wait for the first view of a batch; raises an Answer if it has no state."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS_MAX):
                while topic.view.is_empty and not self._hub.is_closed and not viewer.has_left:
                    await viewer.wait()
        if self._hub.is_closed:
            raise draining()
        if topic.view.state is None:
            raise (topic.view.problem or away()).answer

    async def _stream(self, viewer: "_Viewer", topic: Topic, admission: Admission, send: Send) -> None:
        state = topic.view.state
        if state and state.has_ended and viewer.known == state.last_event_id:
            await send_whole(send, NO_CONTENT, b"")
            return
        await send({"type": "http.response.start", "status": OK, "headers": HEADERS})
        async with aclosing(self._parts(viewer, topic, admission)) as parts:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _parts(
        self, viewer: "_Viewer", topic: Topic, admission: Admission
    ) -> AsyncGenerator[bytes, None]:
        yield _retry()
        while not self._hub.is_closed and not viewer.has_left:
            if admission.refusal is not None:
                yield _error("refused", admission.refusal)
                return
            view = topic.view
            if part := viewer.news(view):
                yield part
            if view.is_last:
                return
            if topic.view is view and not await viewer.wait(QUIET_SECONDS_MAX):
                yield sse.COMMENT


class _Viewer:
    """A viewer, what it has been sent, and the flag that wakes it.

    Args:
        receive: returns once the viewer has left.
        known: the id of the last event that it has; None: it has none.

    """

    def __init__(self, receive: Receive, known: str | None) -> None:
        self.flag = asyncio.Event()
        self.known = known
        self._shown: View | None = None
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

    def news(self, view: View) -> bytes:
        """Return the events that bring the viewer from what it was shown to a view; empty: there are none."""
        shown, self._shown = self._shown, view
        if shown is None and view.state and view.problem is None and self.known == view.state.last_event_id:
            return b""
        parts = []
        if view.state is not None and (view.problem is None or shown is None):
            parts.append(view.state.events)
        if view.problem is not None:
            parts.append(_error("refused" if view.problem.is_final else "problem", view.problem.answer))
        return b"" if view is shown else b"".join(parts)


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
    await send({"type": "http.response.body", "body": _retry() + _error("problem", answer)})


def _error(name: str, answer: Answer) -> bytes:
    return sse.event(name, error_json(answer).decode())


def _retry() -> bytes:
    return sse.retry(random.randint(*RETRY_MILLISECONDS))  # noqa: S311  # jitter is no secret
