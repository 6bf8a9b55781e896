"""Reads the messages of the contract into the values of `batchprogress.models`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.errors import ClientTooOld
from batchprogress.models import (
    Batch,
    BatchState,
    CancelReason,
    Delivery,
    DeliveryState,
    FailureGroup,
    HistoryPoint,
    JobOutcome,
    JobResult,
    Pass,
    PendingJob,
    PendingJobs,
    Repair,
    ServerInfo,
    Tallies,
    WatchToken,
)
from batchprogress.v1 import operations_pb2
from batchprogress.v1 import progress_pb2 as pb

_STATES = {
    pb.BATCH_STATE_PROCESSING: BatchState.PROCESSING,
    pb.BATCH_STATE_COMPLETED: BatchState.COMPLETED,
    pb.BATCH_STATE_CANCELLED: BatchState.CANCELLED,
}
_CANCEL_REASONS = {
    pb.CANCEL_REASON_REQUESTED: CancelReason.REQUESTED,
    pb.CANCEL_REASON_QUEUE: CancelReason.QUEUE,
    pb.CANCEL_REASON_FAILURE_LIMIT: CancelReason.FAILURE_LIMIT,
}
_OUTCOMES = {
    pb.JOB_OUTCOME_SUCCEEDED: JobOutcome.SUCCEEDED,
    pb.JOB_OUTCOME_FAILED: JobOutcome.FAILED,
    pb.JOB_OUTCOME_SKIPPED: JobOutcome.SKIPPED,
}
_DELIVERY_STATES = {
    operations_pb2.DELIVERY_STATE_PENDING: DeliveryState.PENDING,
    operations_pb2.DELIVERY_STATE_DELIVERED: DeliveryState.DELIVERED,
    operations_pb2.DELIVERY_STATE_DEAD: DeliveryState.DEAD,
}
STATE_NUMBERS = {state: number for number, state in _STATES.items()}
OUTCOME_NUMBERS = {outcome: number for number, outcome in _OUTCOMES.items()}
DELIVERY_STATE_NUMBERS = {state: number for number, state in _DELIVERY_STATES.items()}


_Name = TypeVar("_Name", BatchState, JobOutcome, DeliveryState)


def to_batch(message: pb.Batch) -> Batch:
    """Return the batch in a message."""
    limit = message.failure_limit
    return Batch(
        batch_id=message.batch_id,
        display_name=message.display_name,
        labels=dict(message.labels),
        state=_known(_STATES, message.state),
        sealed=message.sealed,
        total_jobs=message.total_jobs,
        succeeded_jobs=message.succeeded_jobs,
        failed_jobs=message.failed_jobs,
        skipped_jobs=message.skipped_jobs,
        pending_jobs=message.pending_jobs,
        percent_complete=message.percent_complete,
        revision=message.revision,
        create_time=_time(message.create_time),
        last_result_time=_time(message.last_result_time) if message.HasField("last_result_time") else None,
        complete_time=_time(message.complete_time) if message.HasField("complete_time") else None,
        jobs_per_second=message.jobs_per_second,
        estimated_complete_time=(
            _time(message.estimated_complete_time) if message.HasField("estimated_complete_time") else None
        ),
        stall_reason=message.stall_reason,
        reconciled_jobs=message.reconciled_jobs,
        pace_holds_for=(message.pace_holds_for.ToTimedelta() if message.HasField("pace_holds_for") else None),
        cancel_reason=_CANCEL_REASONS.get(message.cancel_reason),
        max_failed_jobs=limit.jobs if limit.HasField("jobs") else None,
        max_failed_percent=limit.percent if limit.HasField("percent") else None,
        message=message,
    )


def to_job_result(message: pb.JobResult) -> JobResult:
    """Return the result in a message."""
    return JobResult(
        job_id=message.job_id,
        outcome=_known(_OUTCOMES, message.outcome),
        attempt=message.attempt,
        error_type=message.error_type,
        error_message=message.error_message,
        record_time=_time(message.record_time),
        reconciled=message.reconciled,
        display_name=message.display_name,
        error_details=message.error_details,
        message=message,
    )


def to_failure_group(message: pb.FailureGroup) -> FailureGroup:
    """Return the group in a message."""
    return FailureGroup(
        error_type=message.error_type,
        failed_jobs=message.failed_jobs,
        message_template=message.message_template,
        sample_error_message=message.sample_error_message,
        sample_job_id=message.sample_job_id,
        fingerprint=message.fingerprint,
        message=message,
    )


def to_pending_jobs(message: pb.ListPendingJobsResponse) -> PendingJobs:
    """Return the pending jobs in a message."""
    return PendingJobs(
        jobs=tuple(map(_pending_job, message.pending_jobs)),
        look_time=_time(message.look_time) if message.HasField("look_time") else None,
        reason=message.reason,
        message=message,
    )


def to_repair(message: pb.Repair) -> Repair:
    """Return the repair in a message."""
    return Repair(
        before=_tallies(message.before),
        after=_tallies(message.after),
        reason=message.reason,
        repair_time=_time(message.repair_time),
        message=message,
    )


def to_history(message: pb.GetBatchHistoryResponse) -> tuple[HistoryPoint, ...]:
    """Return the points in a message."""
    return tuple(map(_history_point, message.points))


def to_pass(message: operations_pb2.Pass) -> Pass:
    """Return the pass in a message."""
    return Pass(
        start_time=_time(message.start_time),
        end_time=_time(message.end_time) if message.HasField("end_time") else None,
        manual=message.manual,
        batches_looked_at=message.batches_looked_at,
        batches_repaired=message.batches_repaired,
        batches_left=dict(message.batches_left),
        errors=message.errors,
        cut_short=message.cut_short,
        message=message,
    )


def to_delivery(message: operations_pb2.Delivery) -> Delivery:
    """Return the delivery in a message."""
    return Delivery(
        delivery_id=message.delivery_id,
        batch_id=message.batch_id,
        event_type=message.event_type,
        subscription=message.subscription,
        state=_known(_DELIVERY_STATES, message.state),
        attempts=message.attempts,
        last_answer=message.last_answer,
        create_time=_time(message.create_time),
        next_attempt_time=_time(message.next_attempt_time) if message.HasField("next_attempt_time") else None,
        end_time=_time(message.end_time) if message.HasField("end_time") else None,
        message=message,
    )


def to_server_info(message: operations_pb2.GetServerInfoResponse) -> ServerInfo:
    """Return what a message tells about the server."""
    return ServerInfo(
        version=message.version,
        database=message.database,
        caller=message.caller,
        roles=tuple(message.roles),
        batch_prefix=message.batch_prefix,
        last_pass_time=_time(message.last_pass_time) if message.HasField("last_pass_time") else None,
        message=message,
    )


def to_watch_token(message: pb.CreateWatchTokenResponse) -> WatchToken:
    """Return the watch token in a message."""
    return WatchToken(token=message.watch_token, expire_time=_time(message.expire_time), message=message)


def _pending_job(message: pb.PendingJob) -> PendingJob:
    return PendingJob(
        job_id=message.job_id,
        display_name=message.display_name,
        attempt=message.attempt,
        message=message,
    )


def _history_point(message: pb.HistoryPoint) -> HistoryPoint:
    return HistoryPoint(
        time=_time(message.time),
        total_jobs=message.total_jobs,
        succeeded_jobs=message.succeeded_jobs,
        failed_jobs=message.failed_jobs,
        skipped_jobs=message.skipped_jobs,
        message=message,
    )


def _tallies(message: pb.Tallies) -> Tallies:
    return Tallies(
        state=_known(_STATES, message.state),
        total_jobs=message.total_jobs,
        succeeded_jobs=message.succeeded_jobs,
        failed_jobs=message.failed_jobs,
        skipped_jobs=message.skipped_jobs,
        pending_jobs=message.pending_jobs,
        message=message,
    )


def _known(names: Mapping[Any, _Name], number: int) -> _Name:
    name = names.get(number)
    if name is None:
        kind = type(next(iter(names.values()))).__name__
        raise ClientTooOld(
            f"this version of batchprogress does not know the {kind} {number} of the answer: upgrade it",
            reason="CLIENT_TOO_OLD",
        )
    return name


def _time(time: Timestamp) -> datetime:
    return time.ToDatetime(UTC)
