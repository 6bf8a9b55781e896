"""Converts domain objects to messages of the contract."""

import time
from dataclasses import dataclass
from datetime import datetime

from google.protobuf import timestamp_pb2

from batches import pace
from batches.batch import Batch
from batches.errors import BatchError
from batches.repair import Repair, Tallies
from batches.result import FailureGroup, RecordedResult, ResultSource
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.error_table import refusal_of
from rpc.answers.refusal import Refusal
from services.progress.group_commit import Answer
from services.progress.status import ERRORS
from services.progress.watch_hub import Snapshot

SHARED_SECONDS_MAX = 0.5
"""How long watchers share the message of a snapshot. Only the rate, the estimated end and the stall reason
depend on the time, and nobody notices half a second in them."""


@dataclass(frozen=True, slots=True)
class _SharedMessage:
    made_at: float
    message: pb.WatchBatchResponse


class BatchConverter:
    """Makes the messages of batches.

    Args:
        stuck_after_seconds: when the reconciler checks a batch without results; stall reasons mention it.

    """

    def __init__(self, stuck_after_seconds: float) -> None:
        self._stuck_after_seconds = stuck_after_seconds

    def to_watch_response(self, snapshot: Snapshot) -> pb.WatchBatchResponse:
        """Return the message of a snapshot, made once for thousands of watchers. It must not be changed."""
        now = time.monotonic()
        if snapshot.shared is None or now - snapshot.shared.made_at > SHARED_SECONDS_MAX:
            batch = self.to_batch(snapshot.batch, snapshot.database_time())
            snapshot.shared = _SharedMessage(now, pb.WatchBatchResponse(batch=batch))
        message: pb.WatchBatchResponse = snapshot.shared.message
        return message

    def to_batch(self, batch: Batch, now: datetime | None = None) -> pb.Batch:
        """Return the message of a batch.

        Args:
            batch: the batch.
            now: the current time of the database; None: the time at which the batch was read.

        """
        now = now or batch.read_time
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
            create_time=_time(batch.create_time),
            last_result_time=_time(batch.last_result_time),
            complete_time=_time(batch.complete_time),
            jobs_per_second=pace.jobs_per_second(batch, now),
            estimated_complete_time=_time(pace.estimated_complete_time(batch, now)),
            stall_reason=pace.stall_reason(batch, now, self._stuck_after_seconds),
            reconciled_jobs=batch.reconciled_jobs,
        )


def to_response(answer: Answer) -> pb.ReportJobResultResponse:
    """Return the answer to one report.

    Raises:
        BatchError: the answer is an error.

    """
    if isinstance(answer, BatchError):
        raise answer
    return pb.ReportJobResultResponse(
        disposition=pb.Disposition.ValueType(answer.disposition),
        batch_state=pb.BatchState.ValueType(answer.batch_state),
        revision=answer.revision,
    )


def to_reported_result(answer: Answer | Refusal) -> pb.ReportedResult:
    """Return the answer to one of many reports."""
    if isinstance(answer, Exception):
        refusal = refusal_of(answer, ERRORS)
        if refusal is None:
            raise answer
        return pb.ReportedResult(error=_to_error(refusal))
    return pb.ReportedResult(
        disposition=pb.Disposition.ValueType(answer.disposition),
        batch_state=pb.BatchState.ValueType(answer.batch_state),
        revision=answer.revision,
    )


def to_job_result(result: RecordedResult) -> pb.JobResult:
    """Return the message of a recorded result."""
    return pb.JobResult(
        job_id=result.job_id,
        outcome=pb.JobOutcome.ValueType(result.outcome),
        attempt=result.attempt,
        error_type=result.error_type,
        error_message=result.error_message,
        record_time=_time(result.record_time),
        reconciled=result.source is ResultSource.RECONCILER,
        display_name=result.display_name,
    )


def to_failure_group(group: FailureGroup) -> pb.FailureGroup:
    """Return the message of a group of failures."""
    return pb.FailureGroup(
        error_type=group.error_type,
        failed_jobs=group.failed_jobs,
        message_template=group.message_template,
        sample_error_message=group.sample_error_message,
        sample_job_id=group.sample_job_id,
    )


def to_repair(repair: Repair) -> pb.Repair:
    """Return the message of a repair."""
    return pb.Repair(
        before=_to_tallies(repair.before),
        after=_to_tallies(repair.after),
        reason=repair.reason,
        repair_time=_time(repair.repair_time),
    )


def _to_tallies(tallies: Tallies) -> pb.Tallies:
    return pb.Tallies(
        state=pb.BatchState.ValueType(tallies.state),
        total_jobs=tallies.total_jobs,
        succeeded_jobs=tallies.tally.succeeded,
        failed_jobs=tallies.tally.failed,
        skipped_jobs=tallies.tally.skipped,
        pending_jobs=tallies.pending_jobs,
    )


def _to_error(refusal: Refusal) -> pb.ReportError:
    return pb.ReportError(
        code=refusal.number,
        reason=refusal.reason,
        message=refusal.message,
        field_violations=[
            pb.FieldViolation(field=one.field, description=one.description) for one in refusal.violations
        ],
    )


def _time(moment: datetime | None) -> timestamp_pb2.Timestamp | None:
    if moment is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message
