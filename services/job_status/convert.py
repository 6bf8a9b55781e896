"""From a source's answers to messages; one that no message can carry is a contradiction of the queue."""

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX, JobOutcome
from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction

_ATTEMPT_MAX = 2**31 - 1
"""The contract's int32."""
_WITH_ERROR = (JobOutcome.FAILED, JobOutcome.SKIPPED)
"""The error of any other job is that of an earlier attempt; ReportJobResult accepts none for it either."""


def to_batch_status(counts: BatchCounts) -> pb.GetBatchStatusResponse:
    """Return the message of a batch's counts.

    Raises:
        QueueContradiction: a count is beyond 64 bits.

    """
    try:
        return pb.GetBatchStatusResponse(
            total=counts.total,
            succeeded=counts.succeeded,
            failed=counts.failed,
            skipped=counts.skipped,
            pending=counts.pending,
            finished=counts.finished,
            cancelled=counts.cancelled,
            lists_jobs=counts.lists_jobs,
        )
    except ValueError as error:
        raise QueueContradiction("a count is beyond 64 bits") from error


def to_job_status(status: JobStatus) -> pb.JobStatus:
    """Return the message of a job.

    Raises:
        QueueContradiction: no worker could have reported a job with this id or attempt.

    """
    _check(status)
    message = pb.JobStatus(job_id=status.job_id, attempt=status.attempt)
    if status.outcome is None:
        message.pending = True
    else:
        message.outcome = progress_pb2.JobOutcome.ValueType(status.outcome)
    if status.outcome in _WITH_ERROR:
        message.error_type = status.error_type[:ERROR_TYPE_CHARACTERS_MAX]
        message.error_message = status.error_message[:ERROR_MESSAGE_CHARACTERS_MAX]
    return message


def _check(status: JobStatus) -> None:
    if IDENTIFIER.fullmatch(status.job_id) is None:
        raise QueueContradiction(f"a job_id is not {IDENTIFIER_RULE}")
    if not 1 <= status.attempt <= _ATTEMPT_MAX:
        raise QueueContradiction("an attempt is not a number within 1 and 2,147,483,647")
