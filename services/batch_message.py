"""The message of a batch, which the progress server answers and the notifier sends."""

from datetime import datetime, timedelta

from google.protobuf import duration_pb2, timestamp_pb2

from batches import pace
from batches.batch import Batch
from batches.failure_limit import FailureLimit
from batchprogress.v1 import progress_pb2 as pb


def to_batch_message(batch: Batch, now: datetime, stall_reason: str) -> pb.Batch:
    """Return the message of a batch.

    Args:
        batch: the batch.
        now: the current time of the database.
        stall_reason: why it does not move; empty if it does.

    """
    return pb.Batch(
        batch_id=batch.batch_id,
        display_name=batch.display_name,
        labels=batch.labels,
        state=pb.BatchState.ValueType(batch.state),
        sealed=batch.sealed,
        total_jobs=batch.total_jobs,
        succeeded_jobs=batch.tally.succeeded,
        failed_jobs=batch.tally.failed,
        skipped_jobs=batch.tally.skipped,
        pending_jobs=batch.pending_jobs,
        percent_complete=batch.percent_complete,
        revision=batch.revision,
        create_time=to_timestamp(batch.create_time),
        last_result_time=to_timestamp(batch.last_result_time),
        complete_time=to_timestamp(batch.complete_time),
        jobs_per_second=pace.jobs_per_second(batch, now),
        estimated_complete_time=to_timestamp(pace.estimated_complete_time(batch, now)),
        stall_reason=stall_reason,
        reconciled_jobs=batch.reconciled_jobs,
        cancel_reason=pb.CancelReason.ValueType(batch.cancel_reason or 0),
        failure_limit=_to_failure_limit(batch.failure_limit),
        pace_holds_for=_duration(pace.pace_holds_seconds(batch, now)),
    )


def to_timestamp(moment: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Return the message of a time; None for None."""
    if moment is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def _to_failure_limit(limit: FailureLimit | None) -> pb.FailureLimit | None:
    if limit is None:
        return None
    if limit.jobs is not None:
        return pb.FailureLimit(jobs=limit.jobs)
    return pb.FailureLimit(percent=limit.percent or 0)


def _duration(seconds: float | None) -> duration_pb2.Duration | None:
    if seconds is None:
        return None
    message = duration_pb2.Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message
