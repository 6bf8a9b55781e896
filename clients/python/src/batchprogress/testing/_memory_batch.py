"""The rules of one batch in memory: what creates, changes and ends it, and what a report changes."""

from collections.abc import Iterable

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress._limits import JOBS_MAX
from batchprogress._reporting.error_details import ERROR_DETAILS_BYTES_MAX
from batchprogress._reporting.fields import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
)
from batchprogress.testing._memory_history import MemoryHistory
from batchprogress.testing._refusals import Refused
from batchprogress.v1 import progress_pb2 as pb

_TALLIES = {
    pb.JOB_OUTCOME_SUCCEEDED: "succeeded_jobs",
    pb.JOB_OUTCOME_FAILED: "failed_jobs",
    pb.JOB_OUTCOME_SKIPPED: "skipped_jobs",
}


def now() -> Timestamp:
    """Return the present time."""
    time = Timestamp()
    time.GetCurrentTime()
    return time


class MemoryBatch:
    """A batch with its results. Not thread-safe.

    Args:
        number: its place in the order of creation.
        creation: the request that creates it, which has been checked.

    """

    def __init__(self, number: int, creation: pb.CreateBatchRequest) -> None:
        self.number = number
        self.results: dict[str, pb.JobResult] = {}
        self.details: dict[str, str] = {}
        """The error_details of failed jobs."""
        self._creation = creation
        self._announced_jobs = creation.total_jobs
        self._additions: dict[str, int] = {}
        self.message = pb.Batch(
            batch_id=creation.batch_id,
            display_name=creation.display_name,
            labels=creation.labels,
            state=pb.BATCH_STATE_PROCESSING,
            sealed=self._is_created_sealed(creation),
            revision=1,
            create_time=now(),
        )
        if creation.HasField("failure_limit"):
            self.message.failure_limit.CopyFrom(creation.failure_limit)
        self._settle(self.message.create_time)
        self.history = MemoryHistory(self.message)

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.message.state != pb.BATCH_STATE_PROCESSING

    def is_replaced_by(self, creation: pb.CreateBatchRequest) -> bool:
        """Return whether a creation with the same id replaces this batch; otherwise it is the answer.

        Raises:
            Refused: BATCH_ENDED or BATCH_CONFLICT.

        """
        batch_id, own = creation.batch_id, self._creation
        is_retry = bool(creation.request_id) and creation.request_id == own.request_id
        if self.has_ended and not is_retry:
            if creation.if_ended == pb.IF_ENDED_REPLACE:
                return True
            if creation.if_ended == pb.IF_ENDED_ERROR:
                raise _exists("BATCH_ENDED", f"batch {batch_id} already exists and has ended")
        same = (
            creation.total_jobs == own.total_jobs
            and self._is_created_sealed(creation) == self._is_created_sealed(own)
            and creation.HasField("failure_limit") == own.HasField("failure_limit")
            and creation.failure_limit == own.failure_limit
        )
        if not same:
            kind = "sealed" if self._is_created_sealed(own) else "unsealed"
            text = f"batch {batch_id} already exists: it was created {kind} with {own.total_jobs} jobs"
            raise _exists("BATCH_CONFLICT", text)
        return False

    def add_jobs(self, additional_jobs: int, request_id: str) -> None:
        """Raise the total, once for each request_id.

        Raises:
            Refused: REQUEST_CONFLICT, BATCH_CANCELLED, BATCH_SEALED or TOTAL_TOO_LARGE.

        """
        batch_id = self.message.batch_id
        added = self._additions.get(request_id)
        if added == additional_jobs:
            return
        if added is not None:
            text = f"request {request_id} of batch {batch_id} was already used: it added {added} jobs"
            raise _exists("REQUEST_CONFLICT", text)
        if self.message.state == pb.BATCH_STATE_CANCELLED:
            raise _unfit("BATCH_CANCELLED", f"batch {batch_id} is cancelled: jobs can no longer be added")
        if self.message.sealed:
            raise _unfit("BATCH_SEALED", f"batch {batch_id} is sealed: its total is final")
        if self._announced_jobs + additional_jobs > JOBS_MAX:
            raise _unfit("TOTAL_TOO_LARGE", f"batch {batch_id} would have more than {JOBS_MAX} jobs")
        self._additions[request_id] = additional_jobs
        self._announced_jobs += additional_jobs
        self._change(now())

    def seal(self) -> None:
        """Make the total final."""
        if not self.message.sealed and not self.has_ended:
            self._announced_jobs = self.message.total_jobs
            self.message.sealed = True
            self._change(now())

    def cancel(self) -> None:
        """Cancel the batch.

        Raises:
            Refused: BATCH_COMPLETED.

        """
        if self.message.state == pb.BATCH_STATE_COMPLETED:
            text = f"batch {self.message.batch_id} has completed: it can no longer be cancelled"
            raise _unfit("BATCH_COMPLETED", text)
        if not self.has_ended:
            self._end(pb.BATCH_STATE_CANCELLED, pb.CANCEL_REASON_REQUESTED, time := now())
            self._change(time)

    def record(
        self, reports: Iterable[pb.ReportJobResultRequest]
    ) -> list["pb.Disposition.ValueType | Refused"]:
        """Record the reports of one call, which change the revision once; return the answer to each."""
        answers: list[pb.Disposition.ValueType | Refused] = []
        time = now()
        for report in reports:
            try:
                answers.append(self._record(report, time))
            except Refused as refusal:
                answers.append(refusal)
        if {pb.DISPOSITION_RECORDED, pb.DISPOSITION_SUPERSEDED_EARLIER} & {
            answer for answer in answers if not isinstance(answer, Refused)
        }:
            self.message.last_result_time.CopyFrom(time)
            self._change(time)
        return answers

    def _record(self, report: pb.ReportJobResultRequest, time: Timestamp) -> "pb.Disposition.ValueType":
        earlier, attempt = self.results.get(report.job_id), report.attempt or 1
        if earlier is None:
            if self.message.sealed and len(self.results) >= self._announced_jobs:
                text = (
                    f"job {report.job_id} was not recorded: all {self._announced_jobs} jobs of sealed batch"
                    f" {report.batch_id} have a result"
                )
                raise _unfit("BATCH_FULL", text)
            self._keep(report, attempt, time)
            return pb.DISPOSITION_RECORDED
        if attempt < earlier.attempt:
            return pb.DISPOSITION_STALE
        if attempt > earlier.attempt:
            self._count(earlier.outcome, -1)
            self._keep(report, attempt, time)
            return pb.DISPOSITION_SUPERSEDED_EARLIER
        if report.outcome == earlier.outcome:
            return pb.DISPOSITION_DUPLICATE
        outcome = pb.JobOutcome.Name(earlier.outcome).removeprefix("JOB_OUTCOME_")
        text = f"attempt {attempt} of job {report.job_id} of batch {report.batch_id} is already recorded"
        raise _exists("RESULT_CONFLICT", f"{text} as {outcome}")

    def _keep(self, report: pb.ReportJobResultRequest, attempt: int, time: Timestamp) -> None:
        self._count(report.outcome, 1)
        self.results[report.job_id] = pb.JobResult(
            job_id=report.job_id,
            outcome=report.outcome,
            attempt=attempt,
            error_type=report.error_type[:ERROR_TYPE_CHARACTERS_MAX],
            error_message=report.error_message[:ERROR_MESSAGE_CHARACTERS_MAX],
            display_name=report.display_name[:JOB_NAME_CHARACTERS_MAX],
            record_time=time,
        )
        self.details.pop(report.job_id, None)
        if report.outcome == pb.JOB_OUTCOME_FAILED and report.error_details:
            self.details[report.job_id] = report.error_details.encode()[:ERROR_DETAILS_BYTES_MAX].decode(
                errors="ignore"
            )

    def _count(self, outcome: "pb.JobOutcome.ValueType", number: int) -> None:
        tally = _TALLIES[outcome]
        setattr(self.message, tally, getattr(self.message, tally) + number)

    def _change(self, time: Timestamp) -> None:
        self.message.revision += 1
        self._settle(time)
        self.history.add(self.message, time)

    def _settle(self, time: Timestamp) -> None:
        """Compute what follows from the tallies, and end the batch if that is due."""
        batch, ended_jobs = self.message, len(self.results)
        batch.total_jobs = max(self._announced_jobs, ended_jobs)
        batch.pending_jobs = batch.total_jobs - ended_jobs
        if batch.sealed and not batch.pending_jobs:
            batch.percent_complete = 100
        else:
            batch.percent_complete = min(99, ended_jobs * 100 // max(1, batch.total_jobs))
        if self.has_ended:
            return
        if self._exceeds_limit():
            self._end(pb.BATCH_STATE_CANCELLED, pb.CANCEL_REASON_FAILURE_LIMIT, time)
        elif batch.sealed and not batch.pending_jobs:
            self._end(pb.BATCH_STATE_COMPLETED, pb.CANCEL_REASON_UNSPECIFIED, time)

    def _exceeds_limit(self) -> bool:
        batch = self.message
        match batch.failure_limit.WhichOneof("limit"):
            case "jobs":
                return batch.failed_jobs > batch.failure_limit.jobs
            case "percent":
                percent = batch.failure_limit.percent
                return batch.sealed and batch.failed_jobs * 100 > percent * batch.total_jobs
        return False

    def _end(
        self, state: "pb.BatchState.ValueType", reason: "pb.CancelReason.ValueType", time: Timestamp
    ) -> None:
        self.message.state = state
        self.message.cancel_reason = reason
        self.message.complete_time.CopyFrom(time)

    @staticmethod
    def _is_created_sealed(creation: pb.CreateBatchRequest) -> bool:
        return creation.sealed if creation.HasField("sealed") else True


def _exists(reason: str, text: str) -> Refused:
    return Refused(grpc.StatusCode.ALREADY_EXISTS, reason, text)


def _unfit(reason: str, text: str) -> Refused:
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, reason, text)
