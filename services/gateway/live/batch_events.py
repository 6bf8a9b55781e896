"""GET /v1/batch/events: a batch as server-sent events, from now to its end.

- `batch`: the batch as ProtoJSON, with its revision as the id.
- `problem`: why the batch may be out of date, as the body of an error; the next `batch` takes it back.
- `ended`: the last event, right after the `batch` that has ended.
- `refused`: the last event of a viewer that may not see the batch any longer, as the body of an error.
"""

from collections.abc import AsyncGenerator

from starlette.datastructures import Headers
from starlette.types import Scope, Send

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.caller import Callers
from services.gateway.contract.json_answers import send_whole
from services.gateway.live import event_stream, sse
from services.gateway.live.admission import Admission, Admissions
from services.gateway.live.batch_topic import BatchTopic, View
from services.gateway.live.event_stream import EventStreams, Viewer, ViewerRoom, error_event, send_parts
from services.gateway.live.snapshot import to_snapshot
from services.gateway.live.viewer_hub import ViewerHub
from services.gateway.reads.query import to_request

PATH = "/v1/batch/events"
NO_CONTENT = 204
"""The answer to a client that has the end already: an EventSource then does not connect again."""


class BatchEvents(EventStreams):
    """Answers PATH.

    Args:
        hub: shows the batches.
        admissions: lets viewers in.
        room: has a place for each viewer.
        callers: knows with whose token they are let in.

    """

    def __init__(
        self,
        hub: ViewerHub[str, BatchTopic],
        admissions: Admissions[str, pb.Batch],
        room: ViewerRoom,
        callers: Callers,
    ) -> None:
        super().__init__(room, callers)
        self._hub = hub
        self._admissions = admissions

    @property
    def is_closed(self) -> bool:
        """Whether all streams have to end."""
        return self._hub.is_closed

    async def answer(self, scope: Scope, headers: Headers, viewer: Viewer, send: Send) -> None:
        """Send the stream of a batch; raises an Answer if there is none."""
        request = to_request(scope["query_string"], pb.GetBatchRequest)
        metadata = self._callers.metadata(headers, is_read=True)
        admitted = self._admissions.admitted(request.batch_id, metadata, viewer.flag)
        async with admitted as (admission, batch):
            if batch.state != pb.BATCH_STATE_PROCESSING:
                topic = BatchTopic(view=View(to_snapshot(batch), None))
                await self._stream(viewer, topic, admission, send)
                return
            with self._hub.viewing(request.batch_id, viewer.flag) as topic:
                await self.wait_for_first(viewer, topic)
                await self._stream(viewer, topic, admission, send)

    async def _stream(
        self, viewer: Viewer, topic: BatchTopic, admission: Admission[pb.Batch], send: Send
    ) -> None:
        state = topic.view.state
        if state and state.has_ended and viewer.known == state.last_event_id:
            await send_whole(send, NO_CONTENT, b"")
            return
        await send_parts(send, self._parts(viewer, topic, admission))

    async def _parts(
        self, viewer: Viewer, topic: BatchTopic, admission: Admission[pb.Batch]
    ) -> AsyncGenerator[bytes, None]:
        shown: View | None = None
        while not self.is_over(viewer):
            if admission.refusal is not None:
                yield error_event("refused", admission.refusal)
                return
            view = topic.view
            if part := _news(shown, view, viewer.known):
                yield part
            shown = view
            if view.is_last:
                return
            if topic.view is view and not await viewer.wait(event_stream.QUIET_SECONDS_MAX):
                yield sse.COMMENT


def _news(shown: View | None, view: View, known: str | None) -> bytes:
    """Return the events that bring a viewer from what it was shown to a view; empty: there are none."""
    if shown is None and view.state and view.problem is None and known == view.state.last_event_id:
        return b""
    parts = []
    if view.state is not None and (view.problem is None or shown is None):
        parts.append(view.state.events)
    if view.problem is not None:
        parts.append(error_event("refused" if view.problem.is_final else "problem", view.problem.answer))
    return b"" if view is shown else b"".join(parts)
