"""Converts domain objects to messages of the contract."""

import time
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from google.protobuf import timestamp_pb2

from batches.batch import Batch
from batches.errors import BatchError
from batches.failure_groups import FailureGroup
from batches.history import HistoryPoint
from batches.look import PendingPage
from batches.passes import Pass
from batches.repair import Repair, Tallies
from batches.result import RecordedResult, ResultSource
from batches.stall import Findings, ReconcilerRules, stall_reason
from batchprogress.v1 import operations_pb2
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.error_table import refusal_of
from rpc.answers.refusal import Refusal, Violation, invalid_fields
from rpc.callers.watch_tokens import WatchToken
from services.batch_message import to_batch_message, to_timestamp
from services.progress.group_commit import Answer, Recorded
from services.progress.status import ERRORS
from services.progress.watch import Snapshot

SHARED_SECONDS_MAX = 0.5
"""How long watchers share the message of a snapshot. Only the rate, the estimated end and the stall reason
depend on the time, and nobody notices half a second in them."""

RESPONSES_MAX = 64
"""The answers to single reports that are kept. Those of a group follow each other, and most are equal."""

INVALID_ANSWERS_MAX = 64
"""The answers to invalid results that are kept. Four fields of a result are checked, so there are 16."""


@dataclass(frozen=True, slots=True)
class _SharedMessage:
    made_at: float
    message: pb.WatchBatchResponse


class BatchConverter:
    """Makes the messages of batches.

    Args:
        rules: when the reconciler runs and at which batches it looks; stall reasons mention it.

    """

    def __init__(self, rules: ReconcilerRules) -> None:
        self._rules = rules

    def to_watch_response(
        self, snapshot: Snapshot, findings: Findings | None = None
    ) -> pb.WatchBatchResponse:
        """Return the message of a snapshot, made once for thousands of watchers. It must not be changed."""
        message = shared_message(snapshot)
        if message is None:
            batch = self.to_batch(snapshot.batch, findings, snapshot.database_time())
            message = pb.WatchBatchResponse(batch=batch)
            snapshot.shared = _SharedMessage(time.monotonic(), message)
        return message

    def to_batch(
        self, batch: Batch, findings: Findings | None = None, now: datetime | None = None
    ) -> pb.Batch:
        """Return the message of a batch.

        Args:
            batch: the batch.
            findings: what the reconciler found; None leaves it out of the stall reason.
            now: the current time of the database; None: the time at which the batch was read.

        """
        now = now or batch.read_time
        return to_batch_message(batch, now, stall_reason(batch, now, self._rules, findings))


class ReportedResults:
    """Makes the answer to a call with many reports, most of which have the same answer."""

    def __init__(self) -> None:
        self.response = pb.ReportJobResultsResponse()
        self._last: Answer | Refusal | None = None
        self._message = pb.ReportedResult()

    def add(self, answer: Answer | Refusal) -> None:
        """Add the answer to the next report."""
        if answer is not self._last:
            self._last, self._message = answer, to_reported_result(answer)
        self.response.results.append(self._message)


def shared_message(snapshot: Snapshot) -> pb.WatchBatchResponse | None:
    """Return the message that was made of a snapshot a moment ago; None if it must be made again."""
    shared: _SharedMessage | None = snapshot.shared
    if shared is None or time.monotonic() - shared.made_at > SHARED_SECONDS_MAX:
        return None
    return shared.message


def to_response(answer: Answer) -> pb.ReportJobResultResponse:
    """Return the answer to one report. It must not be changed: the reports of a group share one.

    Raises:
        BatchError: the answer is an error.

    """
    if isinstance(answer, BatchError):
        raise answer
    return _response(answer)


def to_reported_result(answer: Answer | Refusal) -> pb.ReportedResult:
    """Return the answer to one of many reports. It must not be changed: equal refusals share one."""
    if isinstance(answer, Exception):
        refusal = refusal_of(answer, ERRORS)
        if refusal is None:
            raise answer
        return _of_invalid(refusal.violations) if refusal.violations else _of_refused(refusal)
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
        record_time=to_timestamp(result.record_time),
        reconciled=result.source is ResultSource.RECONCILER,
        display_name=result.display_name,
        error_details=result.error_details,
    )


def to_failure_group(group: FailureGroup) -> pb.FailureGroup:
    """Return the message of a group of failures."""
    return pb.FailureGroup(
        error_type=group.error_type,
        failed_jobs=group.failed_jobs,
        message_template=group.message_template,
        sample_error_message=group.sample_error_message,
        sample_job_id=group.sample_job_id,
        fingerprint=group.fingerprint,
    )


def to_repair(repair: Repair) -> pb.Repair:
    """Return the message of a repair."""
    return pb.Repair(
        before=_to_tallies(repair.before),
        after=_to_tallies(repair.after),
        reason=repair.reason,
        repair_time=to_timestamp(repair.repair_time),
    )


def to_pending_jobs(page: PendingPage, next_page_token: str) -> pb.ListPendingJobsResponse:
    """Return the answer with a page of pending jobs."""
    look = page.look
    return pb.ListPendingJobsResponse(
        pending_jobs=[
            pb.PendingJob(job_id=job.job_id, display_name=job.display_name, attempt=job.attempt)
            for job in page.jobs.items
        ],
        next_page_token=next_page_token,
        look_time=None if look is None else to_timestamp(look.pending_time or look.look_time),
        reason="" if look is None else look.sentence,
    )


def to_history_point(point: HistoryPoint) -> pb.HistoryPoint:
    """Return the message of a point of a history."""
    return pb.HistoryPoint(
        time=to_timestamp(point.time),
        total_jobs=point.total_jobs,
        succeeded_jobs=point.tally.succeeded,
        failed_jobs=point.tally.failed,
        skipped_jobs=point.tally.skipped,
    )


def to_pass(one: Pass) -> operations_pb2.Pass:
    """Return the message of a pass of the reconciler."""
    numbers = one.numbers
    return operations_pb2.Pass(
        start_time=to_timestamp(one.start_time),
        end_time=to_timestamp(one.end_time),
        manual=one.manual,
        batches_looked_at=numbers.batches_looked_at,
        batches_repaired=numbers.batches_repaired,
        batches_left=numbers.batches_left,
        errors=numbers.errors,
        cut_short=numbers.cut_short,
    )


def to_watch_token(token: WatchToken) -> pb.CreateWatchTokenResponse:
    """Return the message of a new watch token."""
    return pb.CreateWatchTokenResponse(
        watch_token=token.text, expire_time=timestamp_pb2.Timestamp(seconds=token.expiry)
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


@lru_cache(maxsize=RESPONSES_MAX)
def _response(answer: Recorded) -> pb.ReportJobResultResponse:
    return pb.ReportJobResultResponse(
        disposition=pb.Disposition.ValueType(answer.disposition),
        batch_state=pb.BatchState.ValueType(answer.batch_state),
        revision=answer.revision,
    )


@lru_cache(maxsize=INVALID_ANSWERS_MAX)
def _of_invalid(violations: tuple[Violation, ...]) -> pb.ReportedResult:
    return _of_refused(invalid_fields(violations))


def _of_refused(refusal: Refusal) -> pb.ReportedResult:
    error = pb.ReportError(
        code=refusal.number,
        reason=refusal.reason,
        message=refusal.message,
        field_violations=[
            pb.FieldViolation(field=one.field, description=one.description) for one in refusal.violations
        ],
    )
    return pb.ReportedResult(error=error)
