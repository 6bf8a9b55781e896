"""From requests for watches to the domain; all violations of a message are reported at once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batches.listing import BatchFilter
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.fields import FieldChecks
from rpc.answers.page_tokens import decode_token, encode_token
from rpc.answers.refusal import Violation, invalid_fields
from services.progress.requests import checked_labels, checked_prefix, seconds_of

MIN_INTERVAL_SECONDS_MAX = 60
HEARTBEAT_SECONDS_MIN = 1
"""1,000 watches with heartbeats every second take a tenth of a core."""
HEARTBEAT_SECONDS_MAX = 60
"""haproxy ends a stream that is quiet for 50 s, and nginx after 60 s: a longer interval keeps none open."""
REVISION_MAX = 2**63 - 1
SELECTION_INTERVAL_SECONDS = 1.0
"""The interval of a watch of many batches that asks for none: nobody reads more than a screen a second."""
NO_ID_PREFIX = "\x7f"
"""A prefix that no id has: ids end one character below."""
_CALL = "WatchBatches"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """A request to watch a batch."""

    batch_id: str
    after_revision: int
    min_interval_seconds: float
    heartbeat_seconds: float | None
    """None if no heartbeats are requested."""


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """A request to watch all batches that match a filter."""

    selected: BatchFilter
    since: datetime | None
    """The position of the watch that is resumed; None for a new one."""
    min_interval_seconds: float
    heartbeat_seconds: float | None
    """None if no heartbeats are requested."""
    _filters: list[object]

    def token(self, position: datetime | None) -> str:
        """Return the token with which another watch goes on."""
        if position is None:
            return ""
        return encode_token(_CALL, self._filters, (position - _EPOCH) // _MICROSECOND)


def to_watch(message: pb.WatchBatchRequest) -> Watch:
    """Check WatchBatch."""
    checks = FieldChecks()
    watch = Watch(
        batch_id=checks.identifier("batch_id", message.batch_id),
        after_revision=checks.between("after_revision", message.after_revision, 0, REVISION_MAX),
        min_interval_seconds=_interval(checks, message, 0.0),
        heartbeat_seconds=_heartbeat(checks, message),
    )
    checks.done()
    return watch


def to_selection(message: pb.WatchBatchesRequest, caller_prefix: str = "") -> SelectionRequest:
    """Check WatchBatches.

    Args:
        message: the request.
        caller_prefix: the prefix of the ids of the caller's batches.

    """
    checks = FieldChecks()
    labels = checked_labels(checks, dict(message.labels))
    prefix = checked_prefix(checks, "batch_id_prefix", message.batch_id_prefix)
    interval_seconds = _interval(checks, message, SELECTION_INTERVAL_SECONDS)
    heartbeat_seconds = _heartbeat(checks, message)
    checks.done()
    # A token continues only the watch of its caller: other callers have other batches.
    filters: list[object] = [labels, prefix, caller_prefix]
    return SelectionRequest(
        selected=BatchFilter(labels=labels, id_prefix=narrowed(prefix, caller_prefix)),
        since=_position(filters, message.resume_token),
        min_interval_seconds=interval_seconds,
        heartbeat_seconds=heartbeat_seconds,
        _filters=filters,
    )


def narrowed(prefix: str, caller_prefix: str) -> str:
    """Return the prefix of the ids that have both prefixes."""
    if caller_prefix.startswith(prefix):
        return caller_prefix
    return prefix if prefix.startswith(caller_prefix) else NO_ID_PREFIX


def _position(filters: list[object], token: str) -> datetime | None:
    microseconds = decode_token(_CALL, filters, token, int, "resume_token")
    if microseconds is None:
        return None
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError:
        raise invalid_fields([Violation("resume_token", "is not a token of this call")]) from None


def _interval(
    checks: FieldChecks, message: pb.WatchBatchRequest | pb.WatchBatchesRequest, default: float
) -> float:
    seconds = seconds_of(message.min_interval) if message.HasField("min_interval") else default
    if not 0 <= seconds <= MIN_INTERVAL_SECONDS_MAX:
        checks.reject("min_interval", f"must be from 0 to {MIN_INTERVAL_SECONDS_MAX} s")
    return seconds


def _heartbeat(checks: FieldChecks, message: pb.WatchBatchRequest | pb.WatchBatchesRequest) -> float | None:
    if not message.HasField("heartbeat_interval"):
        return None
    seconds = seconds_of(message.heartbeat_interval)
    if not HEARTBEAT_SECONDS_MIN <= seconds <= HEARTBEAT_SECONDS_MAX:
        rule = f"must be from {HEARTBEAT_SECONDS_MIN} to {HEARTBEAT_SECONDS_MAX} s, or unset"
        checks.reject("heartbeat_interval", rule)
    return seconds
