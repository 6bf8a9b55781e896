"""A batch as it is sent to its viewers. Pure."""

from dataclasses import dataclass, replace

from google.protobuf.json_format import MessageToJson

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.live import sse


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A batch at one revision."""

    revision: int
    created_at_ns: int
    """By the database's clock. Another batch of the same id has another time."""
    has_ended: bool
    events: bytes
    """What viewers get, encoded once for all of them: the batch, and the end if it has ended."""

    @property
    def last_event_id(self) -> str:
        """The id of the last of these events.

        The end has its own: since a fail-over of the database may lose changes, a viewer that knows the
        revision has not always seen the end.
        """
        return f"{self.revision}-ended" if self.has_ended else str(self.revision)


def to_snapshot(batch: pb.Batch) -> Snapshot:
    """Return a batch as it is sent."""
    state = pb.BatchState.Name(batch.state)
    has_ended = batch.state not in {pb.BATCH_STATE_UNSPECIFIED, pb.BATCH_STATE_PROCESSING}
    json = MessageToJson(batch, indent=None, always_print_fields_with_no_presence=True)
    events = sse.event("batch", json, event_id=str(batch.revision))
    snapshot = Snapshot(batch.revision, batch.create_time.ToNanoseconds(), has_ended, events)
    if not has_ended:
        return snapshot
    end = sse.event("ended", f'{{"state": "{state}"}}', event_id=snapshot.last_event_id)
    return replace(snapshot, events=events + end)
