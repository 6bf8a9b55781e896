"""From an error of a source to its answer."""

import pytest
from grpc import StatusCode

from rpc.answers.error_table import refusal_of
from services.job_status.source import (
    BatchUnknown,
    JobsNotListed,
    JobStatusError,
    QueueContradiction,
    QueueUnavailable,
)
from services.job_status.status import ERRORS

ANSWERS = [
    (BatchUnknown(), StatusCode.NOT_FOUND, "BATCH_NOT_FOUND", "The queue does not know the batch."),
    (
        JobsNotListed(),
        StatusCode.UNIMPLEMENTED,
        "JOBS_NOT_LISTED",
        "The queue keeps only counts, no list of jobs.",
    ),
    (
        QueueUnavailable(),
        StatusCode.UNAVAILABLE,
        "QUEUE_UNAVAILABLE",
        "The queue does not answer; nothing is known.",
    ),
    (
        QueueContradiction("failed_job_ids is no JSON"),
        StatusCode.FAILED_PRECONDITION,
        "QUEUE_CONTRADICTION",
        "What the queue keeps of the batch cannot be read: failed_job_ids is no JSON.",
    ),
]


@pytest.mark.parametrize(("error", "code", "reason", "message"), ANSWERS)
def test_answers(error: JobStatusError, code: StatusCode, reason: str, message: str) -> None:
    """Each error of a source has its own documented answer."""
    refusal = refusal_of(error, ERRORS)
    assert refusal is not None
    assert (refusal.code, refusal.reason, refusal.message) == (code, reason, message)


def test_no_error_is_forgotten() -> None:
    """Every kind of error that a source may raise has an answer."""
    assert {type(error) for error, *_ in ANSWERS} == set(JobStatusError.__subclasses__())


def test_defect() -> None:
    """An error that is none of a source's is left to the boundary."""
    assert refusal_of(KeyError("secret"), ERRORS) is None
