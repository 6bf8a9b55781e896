"""From ListBatches to a filter of batches, within what its caller may see."""

from dataclasses import replace
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from batches.batch import BatchState
from batches.listing import BatchFilter
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE, PAGE_SIZE_DEFAULT, FieldChecks
from services.progress.requests import PAGE_SIZE_MAX, checked_labels

_STATES = {int(state): state for state in BatchState}


def to_batch_filter(message: pb.ListBatchesRequest) -> tuple[BatchFilter, int]:
    """Check ListBatches; return the filter and the page size."""
    checks = FieldChecks()
    if message.state and message.state not in _STATES:
        checks.reject("state", "must be PROCESSING, COMPLETED or CANCELLED, or unset")
    prefix = message.batch_id_prefix
    if prefix and IDENTIFIER.fullmatch(prefix) is None:
        checks.reject("batch_id_prefix", f"must be {IDENTIFIER_RULE}, or unset")
    selected = BatchFilter(
        state=_STATES.get(message.state),
        labels=checked_labels(checks, dict(message.labels)),
        id_prefix=prefix,
        stalled=message.stalled,
        with_failures=message.with_failures,
        created_from=_time(checks, message, "created_from"),
        created_before=_time(checks, message, "created_before"),
    )
    size = checks.page_size(message.page_size, PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT)
    checks.done()
    return selected, size


def filters_of(message: pb.ListBatchesRequest) -> list[object]:
    """Return the filters to which a page token belongs.

    Without those that servers of 0.1 do not know, they and this one continue each other's lists.
    """
    times = [message.created_from.ToJsonString() if message.HasField("created_from") else ""]
    times += [message.created_before.ToJsonString() if message.HasField("created_before") else ""]
    newer = [message.batch_id_prefix, message.stalled, message.with_failures, *times]
    return [message.state, dict(message.labels), *(newer if any(newer) else [])]


def within(selected: BatchFilter, own_prefix: str) -> BatchFilter | None:
    """Return a filter of the batches that a caller may see; None if no batch can match.

    Args:
        selected: what the caller asks for.
        own_prefix: the prefix of the batches that exist for the caller; empty for all batches.

    """
    if selected.stalled and selected.state not in (None, BatchState.PROCESSING):
        return None
    if not own_prefix:
        return selected
    prefix = max(selected.id_prefix, own_prefix, key=len)
    if not (prefix.startswith(own_prefix) and prefix.startswith(selected.id_prefix)):
        return None
    return replace(selected, id_prefix=prefix, hides_others=True)


def _time(checks: FieldChecks, message: pb.ListBatchesRequest, name: str) -> datetime | None:
    if not message.HasField(name):  # type: ignore[arg-type]  # the names of two fields
        return None
    time: Timestamp = getattr(message, name)
    try:
        return time.ToDatetime(UTC)
    except ValueError:
        checks.reject(name, "must be a time from the year 1 to the year 9999, or unset")
        return None
