"""Reads the google.rpc.Status in a call's trailing metadata without googleapis-common-protos.

Workers install only grpcio and protobuf. Protobuf brings Any and Duration; the fields of every other message
are read by their numbers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from batchprogress.errors import FieldViolation

STATUS_DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "batchprogress"
"""The domain of our server's ErrorInfo: one of another domain is somebody else's on the road to it."""
RETRY_SECONDS_MAX = 60.0
"""The longest delay that a server can ask for: a worker must not fall silent for hours."""

_STATUS_DETAILS = 3
_ERROR_INFO_REASON = 1
_ERROR_INFO_DOMAIN = 2
_RETRY_INFO_DELAY = 1
_BAD_REQUEST_VIOLATIONS = 1
_VIOLATION_FIELD = 1
_VIOLATION_DESCRIPTION = 2


@dataclass(frozen=True, slots=True)
class StatusDetails:
    """The error details that a client acts on."""

    reason: str = ""
    """The reason of our server's ErrorInfo, in UPPER_SNAKE; empty without one."""
    retry_seconds: float = 0.0
    """The delay of the RetryInfo; 0 without one."""
    violations: tuple[FieldViolation, ...] = ()
    """The fields at fault in the BadRequest; empty without one."""


def read_details(trailing_metadata: Iterable[tuple[str, str | bytes]] | None) -> StatusDetails:
    """Return the error details of a call; a missing or malformed one is ignored."""
    raw = next((value for key, value in trailing_metadata or () if key == STATUS_DETAILS_KEY), b"")
    reason, retry_seconds, violations = "", 0.0, tuple[FieldViolation, ...]()
    try:
        for detail in _submessages(raw if isinstance(raw, bytes) else raw.encode(), _STATUS_DETAILS):
            packed = Any.FromString(detail)
            if packed.type_url.endswith("/google.rpc.ErrorInfo"):
                if _text(packed.value, _ERROR_INFO_DOMAIN) == DOMAIN:
                    reason = _text(packed.value, _ERROR_INFO_REASON)
            elif packed.type_url.endswith("/google.rpc.RetryInfo"):
                retry_seconds = _seconds(b"".join(_submessages(packed.value, _RETRY_INFO_DELAY)))
            elif packed.type_url.endswith("/google.rpc.BadRequest"):
                violations = tuple(map(_violation, _submessages(packed.value, _BAD_REQUEST_VIOLATIONS)))
    except DecodeError:
        pass
    return StatusDetails(reason, retry_seconds, violations)


def _submessages(raw: bytes, number: int) -> Iterator[bytes]:
    """Yield the strings, bytes or messages that a message of any type has in a field."""
    fields = UnknownFieldSet(Empty.FromString(raw))
    for field in (fields[place] for place in range(len(fields))):
        if field.field_number == number and isinstance(field.data, bytes):
            yield field.data


def _text(raw: bytes, number: int) -> str:
    return b"".join(_submessages(raw, number)).decode(errors="replace")


def _violation(raw: bytes) -> FieldViolation:
    return FieldViolation(_text(raw, _VIOLATION_FIELD), _text(raw, _VIOLATION_DESCRIPTION))


def _seconds(raw: bytes) -> float:
    duration = Duration.FromString(raw)
    return min(max(duration.seconds + duration.nanos / 1e9, 0.0), RETRY_SECONDS_MAX)
