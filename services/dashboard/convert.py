"""Converts messages to the JSON of pages, with the field names of the contract.

As in ProtoJSON, 64-bit numbers are strings and times are RFC 3339; enum names lose their prefix.
"""

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from batchprogress.v1 import progress_pb2 as pb
from services.dashboard.states import BatchState

Fields = dict[str, Any]


def to_state(batch: pb.Batch) -> BatchState:
    """Return a batch as the hub passes it to viewers."""
    newest = batch.last_result_time if batch.HasField("last_result_time") else batch.create_time
    return BatchState(
        revision=batch.revision,
        has_ended=batch.state != pb.BATCH_STATE_PROCESSING,
        created_at=_seconds(batch.create_time),
        newest_result_at=_seconds(newest),
        ended_jobs=batch.total_jobs - batch.pending_jobs,
        failed_jobs=batch.failed_jobs,
        json=json.dumps(to_fields(batch)),
    )


def to_fields(message: Message) -> Fields:
    """Return every field of a message except unset submessages, with short enum names."""
    fields = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name in ("state", "outcome"):
        if name in fields:
            fields[name] = fields[name].rpartition("_")[2]
    return fields


def to_repair(repair: pb.Repair) -> Fields:
    """Return a repair with the tallies before and after."""
    return to_fields(repair) | {"before": to_fields(repair.before), "after": to_fields(repair.after)}


def to_list(messages: Iterable[Message]) -> list[Fields]:
    """Return the fields of each message."""
    return [to_fields(message) for message in messages]


def _seconds(time: Any) -> float:
    return float(time.ToNanoseconds() / 1e9)
