"""The translation of a source's errors to gRPC statuses."""

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
        "The queue keeps only counts and cannot list jobs.",
    ),
    (
        QueueUnavailable(),
        StatusCode.UNAVAILABLE,
        "QUEUE_UNAVAILABLE",
        "The queue is unavailable.",
    ),
    (
        QueueContradiction("failed_job_ids is not valid JSON"),
        StatusCode.FAILED_PRECONDITION,
        "QUEUE_CONTRADICTION",
        "The queue's data about the batch is unusable: failed_job_ids is not valid JSON.",
    ),
]


@pytest.mark.parametrize(("error", "code", "reason", "message"), ANSWERS)
def test_error_has_a_code_a_reason_and_a_message(
    error: JobStatusError, code: StatusCode, reason: str, message: str
) -> None:
    refusal = refusal_of(error, ERRORS)
    assert refusal is not None
    assert (refusal.code, refusal.reason, refusal.message) == (code, reason, message)


def test_contradiction_tells_its_problem_in_the_metadata() -> None:
    refusal = refusal_of(QueueContradiction("x" * 201), ERRORS)
    assert refusal is not None
    assert refusal.metadata == {"problem": "x" * 200}


def test_every_error_is_tested() -> None:
    assert {type(error) for error, *_ in ANSWERS} == set(JobStatusError.__subclasses__())


def test_other_errors_are_not_translated() -> None:
    assert refusal_of(KeyError("secret"), ERRORS) is None
