"""Numbers, times and states in words for people. Pure."""

from datetime import UTC
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.bar import pace_of
from batchprogress.v1 import progress_pb2 as pb

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Return a text of others in one line that a terminal only shows: an escape sequence would steer it."""
    return "".join(one if one.isprintable() else REPLACEMENT for one in " ".join(text.split()))


def state_of(state: pb.BatchState.ValueType) -> str:
    """Return a state in lower case."""
    return pb.BatchState.Name(state).removeprefix("BATCH_STATE_").lower()


def counts_of(batch: pb.Batch) -> str:
    """Return how many jobs have a result, of how many."""
    return f"{batch.total_jobs - batch.pending_jobs:,}/{batch.total_jobs:,}"


def tail_of(batch: pb.Batch) -> list[str]:
    """Return what follows the counts: failed, skipped, then rate and time left, why it stalls, or its end."""
    parts = [f"{batch.failed_jobs:,} failed"] if batch.failed_jobs else []
    parts += [f"{batch.skipped_jobs:,} skipped"] if batch.skipped_jobs else []
    if batch.state != pb.BATCH_STATE_PROCESSING:
        return [*parts, state_of(batch.state)]
    return [*parts, *map(clean, pace_of(batch))]


def progress_of(batch: pb.Batch) -> str:
    """Return a batch in one line for logs."""
    return ", ".join(
        [f"{clean(batch.batch_id)}: {counts_of(batch)}", f"{batch.percent_complete} %", *tail_of(batch)]
    )


def sum_of(batch: pb.Batch) -> str:
    """Return the tallies as the sum that they are."""
    return (
        f"{batch.succeeded_jobs:,} succeeded + {batch.failed_jobs:,} failed + {batch.skipped_jobs:,} skipped"
        f" + {batch.pending_jobs:,} pending = {batch.total_jobs:,} jobs"
    )


def moment(time: Timestamp) -> str:
    """Return a time to the second, in UTC as the server has it."""
    return f"{time.ToDatetime(UTC):%Y-%m-%d %H:%M:%S} UTC"


def labels_of(batch: pb.Batch) -> str:
    """Return the labels as they are given on the command line."""
    return " ".join(f"{key}={clean(value)}" for key, value in sorted(batch.labels.items()))
