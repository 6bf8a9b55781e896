"""GET /v1/batches/events: the changes of many batches as server-sent events, for ever.

- `batch`: a batch as ProtoJSON: at first each one that is under way, then each newer state, and its end.
- `deleted`: the id of a batch that was deleted before its end.
- `live`: every batch under way was sent, and what the viewer was not sent has ended or is gone. Its data says
  by `resumed` whether all ends since the viewer's Last-Event-ID were sent, too. It takes a `problem` back.
- `problem`: why the batches may be out of date, as the body of an error.
- `refused`: the last event of a viewer that may not see them any longer, as the body of an error.

The id of an event is the resume token of WatchBatches.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import Scope, Send

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.caller import Callers
from services.gateway.live import event_stream, sse
from services.gateway.live.admission import Admission, Admissions
from services.gateway.live.catch_up import CatchUps
from services.gateway.live.event_stream import EventStreams, Viewer, ViewerRoom, error_event, send_parts
from services.gateway.live.problems import Problem
from services.gateway.live.selection import Selection, to_selection
from services.gateway.live.selection_topic import SelectionTopic
from services.gateway.live.viewer_hub import ViewerHub
from services.gateway.reads.query import to_request

PATH = "/v1/batches/events"
SENT_AT_ONCE = 50
"""Events in one part, of some 50 KB: a viewer that does not read costs no more."""
Item = TypeVar("Item")


class SelectionEvents(EventStreams[Selection, SelectionTopic, Selection]):
    """Answers PATH.

    Args:
        hub: shows the batches.
        admissions: lets viewers in.
        room: has a place for each viewer.
        callers: knows with whose token they are let in.
        catch_ups: find what has ended while a viewer was away.

    """

    def __init__(
        self,
        hub: ViewerHub[Selection, SelectionTopic],
        admissions: Admissions[Selection, Selection],
        room: ViewerRoom,
        callers: Callers,
        catch_ups: CatchUps,
    ) -> None:
        super().__init__(hub, admissions, room, callers)
        self._catch_ups = catch_ups

    async def answer(self, scope: Scope, headers: Headers, viewer: Viewer, send: Send) -> None:
        """Send the stream of a selection; raises an Answer if there is none."""
        wanted = to_selection(to_request(scope["query_string"], pb.WatchBatchesRequest))
        metadata = self._callers.metadata(headers, is_read=True)
        async with self._admissions.admitted(wanted, metadata, viewer.flag) as (admission, allowed):
            with self._hub.viewing(allowed, viewer.flag) as topic:
                await self.wait_for_first(viewer, topic)
                # Not in a variable: only the stream holds the ends, and it forgets them once they are sent.
                stream = Stream(topic, *await self._missed(allowed, topic, viewer.known))
                await send_parts(send, self._parts(viewer, stream, admission))

    async def _missed(
        self, allowed: Selection, topic: SelectionTopic, known: str | None
    ) -> tuple[int, Sequence[bytes] | None]:
        """Return the change from which a viewer goes on, and the ends before it; None: they are not known."""
        number = topic.number
        if not known:
            return number, None
        if (kept := topic.number_at(known)) is not None:
            return kept, ()
        return await self._catch_ups.find(allowed, known, topic)

    async def _parts(
        self, viewer: Viewer, stream: "Stream", admission: Admission[Selection]
    ) -> AsyncGenerator[bytes, None]:
        for part in stream.first():
            yield part
            await asyncio.sleep(0)  # the events of a part are encoded when it is the first to have them
        while not self.is_over(viewer):
            if admission.refusal is not None:
                yield error_event("refused", admission.refusal)
                return
            if stream.is_too_slow:
                return  # it comes back with its last id
            for part in stream.news():
                yield part
            if stream.topic.is_last:
                return
            if not stream.has_news and not await viewer.wait(event_stream.QUIET_SECONDS_MAX):
                yield stream.quiet()


class Stream:
    """What one viewer was sent.

    Args:
        topic: what it views.
        number: the change from which it goes on.
        ended: the events of those that have ended before; None: they are not known.

    """

    def __init__(self, topic: SelectionTopic, number: int, ended: Sequence[bytes] | None) -> None:
        self.topic = topic
        self._number = number
        self._ended = ended
        self._problem: Problem | None = None

    @property
    def is_too_slow(self) -> bool:
        """Whether ends were dropped that it was not sent."""
        return not self.topic.has_all_since(self._number)

    @property
    def has_news(self) -> bool:
        """Whether there is something that it was not sent."""
        return self.topic.number > self._number or self.topic.problem is not self._problem

    def first(self) -> Iterator[bytes]:
        """Yield the events of all batches under way, of those that have ended, and `live`."""
        topic = self.topic
        number, position = topic.number, topic.position
        missed = [change for change in topic.since(self._number) if change.is_end]
        for changes in _in_parts([*topic.running(), *missed]):
            yield b"".join(change.event for change in changes)
        is_resumed = self._ended is not None
        for events in _in_parts(self._ended or ()):
            yield b"".join(events)
        self._number, self._ended = number, None  # a stream stays open for hours, and they may have 2 MB
        yield _live(position, is_resumed=is_resumed)

    def news(self) -> Iterator[bytes]:
        """Yield the events that follow those that it was sent; only after the last it has their position."""
        changes = self.topic.since(self._number)
        self._number, position, problem = self.topic.number, self.topic.position, self.topic.problem
        for part in _in_parts(changes):
            *others, last = (change.event for change in part)
            yield b"".join((*others, sse.with_id(last, position) if part[-1] is changes[-1] else last))
        if problem is not self._problem:
            self._problem = problem
            yield self._trouble(position)

    def quiet(self) -> bytes:
        """Return what keeps a quiet stream open, and moves the viewer on."""
        return sse.with_id(sse.COMMENT, self.topic.position)

    def _trouble(self, position: str) -> bytes:
        if self._problem is None:
            return _live(position, is_resumed=True)
        return error_event("refused" if self._problem.is_final else "problem", self._problem.answer)


def _in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for begin in range(0, len(items), SENT_AT_ONCE):
        yield items[begin : begin + SENT_AT_ONCE]


def _live(position: str, *, is_resumed: bool) -> bytes:
    return sse.event("live", f'{{"resumed": {str(is_resumed).lower()}}}', event_id=position)
