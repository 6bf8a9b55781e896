"""Converts what the client returns to the JSON of pages, with the field names of the contract.

As in ProtoJSON, 64-bit numbers are strings and times are RFC 3339; enum names lose their prefix.
"""

import json
from collections.abc import Iterable
from typing import Any, Protocol

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from batchprogress import Batch, Repair
from services.dashboard.states import Snapshot

Fields = dict[str, Any]


class HasMessage(Protocol):
    """A value that keeps the message it was read from."""

    @property
    def message(self) -> Message:
        """The message."""


def to_snapshot(batch: Batch) -> Snapshot:
    """Return a batch as the hub passes it to viewers."""
    return Snapshot(
        revision=batch.revision,
        has_ended=batch.has_ended,
        created_at=batch.create_time.timestamp(),
        newest_result_at=(batch.last_result_time or batch.create_time).timestamp(),
        ended_jobs=batch.ended_jobs,
        failed_jobs=batch.failed_jobs,
        json=json.dumps(to_fields(batch.message)),
    )


def to_fields(message: Message) -> Fields:
    """Return every field of a message except unset submessages, with short enum names."""
    fields = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name in ("state", "outcome"):
        if name in fields:
            fields[name] = fields[name].rpartition("_")[2]
    if "cancel_reason" in fields:
        fields["cancel_reason"] = fields["cancel_reason"].removeprefix("CANCEL_REASON_")
    return fields


def to_repair(repair: Repair) -> Fields:
    """Return a repair with the tallies before and after."""
    tallies = {"before": to_fields(repair.before.message), "after": to_fields(repair.after.message)}
    return to_fields(repair.message) | tallies


def to_list(values: Iterable[HasMessage]) -> list[Fields]:
    """Return the fields of each value."""
    return [to_fields(value.message) for value in values]
