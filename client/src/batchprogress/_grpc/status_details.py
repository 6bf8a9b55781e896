"""Reading a google.rpc.Status from an answer's trailing metadata, without the googleapis package.

Only the wire matters: messages with the same numbers are described in a pool of their own, so that
they never meet those of googleapis-common-protos in the same process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

STATUS_DETAILS_KEY = "grpc-status-details-bin"
RETRY_SECONDS_MAX = 60.0
"""A server that asks for more is not believed: a worker must not fall silent for hours."""

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "Status": (("details", 3, _FIELD.TYPE_MESSAGE, "Detail"),),
    "Detail": (("type_url", 1, _FIELD.TYPE_STRING, ""), ("value", 2, _FIELD.TYPE_BYTES, "")),
    "ErrorInfo": (("reason", 1, _FIELD.TYPE_STRING, ""),),
    "RetryInfo": (("retry_delay", 1, _FIELD.TYPE_MESSAGE, "Delay"),),
    "Delay": (("seconds", 1, _FIELD.TYPE_INT64, ""), ("nanos", 2, _FIELD.TYPE_INT32, "")),
}
"""Message -> its fields: name, number, type, and the message it holds. `details` alone is repeated."""


@dataclass(frozen=True, slots=True)
class StatusDetails:
    """What a worker needs of an answer's details."""

    reason: str = ""
    """The ErrorInfo's, UPPER_SNAKE; empty if there is none."""
    retry_seconds: float = 0.0
    """The RetryInfo's: no try before so long; 0 if there is none."""


def read_details(trailing_metadata: Iterable[tuple[str, str | bytes]] | None) -> StatusDetails:
    """Return the details of an answer; what is missing or no such message counts as not sent."""
    raw = next((value for key, value in trailing_metadata or () if key == STATUS_DETAILS_KEY), b"")
    reason, retry_seconds = "", 0.0
    try:
        for detail in _decode("Status", raw if isinstance(raw, bytes) else raw.encode()).details:
            if detail.type_url.endswith("/google.rpc.ErrorInfo"):
                reason = _decode("ErrorInfo", detail.value).reason
            elif detail.type_url.endswith("/google.rpc.RetryInfo"):
                delay = _decode("RetryInfo", detail.value).retry_delay
                retry_seconds = min(max(delay.seconds + delay.nanos / 1e9, 0.0), RETRY_SECONDS_MAX)
    except DecodeError:
        pass
    return StatusDetails(reason, retry_seconds)


def _described() -> dict[str, Any]:
    """Return the class of each message."""
    file = descriptor_pb2.FileDescriptorProto(name="status_details", package="d", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, holds in fields:
            label = _FIELD.LABEL_REPEATED if field == "details" else _FIELD.LABEL_OPTIONAL
            described = message.field.add(name=field, number=number, label=label)
            described.type = _FIELD.Type.ValueType(kind)
            if holds:
                described.type_name = f".d.{holds}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"d.{name}")) for name in _MESSAGES
    }


_CLASSES = _described()


def _decode(name: str, raw: bytes) -> Any:
    return _CLASSES[name].FromString(raw)
