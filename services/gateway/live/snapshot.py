"""A batch as it is sent to its viewers. Pure."""

from dataclasses import dataclass

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


def to_snapshot(batch: pb.Batch) -> Snapshot:
    """Return a batch as it is sent."""
    state = pb.BatchState.Name(batch.state)
    has_ended = batch.state not in {pb.BATCH_STATE_UNSPECIFIED, pb.BATCH_STATE_PROCESSING}
    json = MessageToJson(batch, indent=None, always_print_fields_with_no_presence=True)
    events = sse.event("batch", json, event_id=str(batch.revision))
    return Snapshot(
        revision=batch.revision,
        created_at_ns=batch.create_time.ToNanoseconds(),
        has_ended=has_ended,
        events=events + sse.event("ended", f'{{"state": "{state}"}}') if has_ended else events,
    )
