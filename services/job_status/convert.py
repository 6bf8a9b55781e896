"""From a source's answers to messages; one that no message can carry is a contradiction of the queue."""

from batches.result import (
    ATTEMPT_MAX,
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
    JobOutcome,
)
from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE
from services.job_status.source import PROBLEM_CHARACTERS_MAX, BatchCounts, JobStatus, QueueContradiction

_WITH_ERROR = (JobOutcome.FAILED, JobOutcome.SKIPPED)
"""The error of any other job is that of an earlier attempt; ReportJobResult accepts none for it either."""


def to_batch_status(counts: BatchCounts) -> pb.GetBatchStatusResponse:
    """Return the message of a batch's counts.

    Raises:
        QueueContradiction: a count is negative or beyond 64 bits.

    """
    _check_counts(counts)
    try:
        return pb.GetBatchStatusResponse(
            total=counts.total,
            succeeded=counts.succeeded,
            failed=counts.failed,
            skipped=counts.skipped,
            pending=counts.pending,
            finished=counts.finished and counts.total > 0,
            cancelled=counts.cancelled,
            lists_jobs=counts.lists_jobs,
        )
    except ValueError as error:
        raise QueueContradiction("a count is beyond 64 bits") from error


def _check_counts(counts: BatchCounts) -> None:
    for name in ("total", "succeeded", "failed", "skipped", "pending"):
        if getattr(counts, name) < 0:
            raise QueueContradiction(f"its {name} count is negative")


def to_job_status(status: JobStatus) -> pb.JobStatus:
    """Return the message of a job.

    Raises:
        QueueContradiction: no worker could have reported a job with this id or attempt.

    """
    _check(status)
    message = pb.JobStatus(
        job_id=status.job_id,
        attempt=status.attempt,
        display_name=_text(status.display_name, JOB_NAME_CHARACTERS_MAX),
        problem=_text(status.problem, PROBLEM_CHARACTERS_MAX),
    )
    if status.outcome is None or status.problem:
        message.pending = True
        return message
    message.outcome = progress_pb2.JobOutcome.ValueType(status.outcome)
    if status.outcome in _WITH_ERROR:
        message.error_type = _text(status.error_type, ERROR_TYPE_CHARACTERS_MAX)
        message.error_message = _text(status.error_message, ERROR_MESSAGE_CHARACTERS_MAX)
    return message


def _text(text: str, characters_max: int) -> str:
    """Return a text that a message can carry: truncated, and with a question mark for each lone surrogate.

    Python decodes a Latin-1 file name to surrogates, which no encoding accepts.
    """
    return text[:characters_max].encode(errors="replace").decode()


def _check(status: JobStatus) -> None:
    if IDENTIFIER.fullmatch(status.job_id) is None:
        raise QueueContradiction(f"a job_id is not {IDENTIFIER_RULE}")
    if not 1 <= status.attempt <= ATTEMPT_MAX:
        raise QueueContradiction("an attempt is not a number within 1 and 2,147,483,647")
