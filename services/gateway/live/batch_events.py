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
from services.gateway.contract.json_answers import send_whole
from services.gateway.live import event_stream, sse
from services.gateway.live.admission import Admission
from services.gateway.live.batch_topic import BatchTopic, View
from services.gateway.live.event_stream import EventStreams, Viewer, error_event, send_parts
from services.gateway.live.snapshot import to_snapshot
from services.gateway.reads.query import to_request

PATH = "/v1/batch/events"
NO_CONTENT = 204
"""The answer to a client that has the end already: an EventSource then does not connect again."""


class BatchEvents(EventStreams[str, BatchTopic, pb.Batch]):
    """Answers PATH."""

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
