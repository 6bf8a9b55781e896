"""What the client makes of a job in the queue's list."""

import pytest

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX, JobOutcome
from batchprogress.v1.job_status_pb2 import JobStatus
from reconciler.queue.client import count_seconds_max, to_job
from reconciler.queue.port import QueueContradiction, QueueJob

REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "no id": ({}, "an invalid job id"),
    "a space in its id": ({"job_id": "a b"}, "an invalid job id"),
    "an id that is too long": ({"job_id": "a" * 129}, "an invalid job id"),
    "a negative attempt": ({"job_id": "a", "attempt": -1}, "a negative attempt"),
    "an unknown outcome": ({"job_id": "a", "outcome": 9}, "an unknown outcome"),
}


def status(**fields: object) -> JobStatus:
    """Return a job as a queue's service sends it."""
    return JobStatus(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("fields", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_job_that_no_worker_could_have_reported_is_refused(fields: dict[str, object], problem: str) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(QueueContradiction, match=problem):
        to_job(status(**fields))


def test_a_job_with_a_problem_is_pending() -> None:
    """The problem becomes one printable line of the permitted length."""
    job = to_job(status(job_id="a", outcome=1, problem="its result\nis\x1b" + "x" * 300))
    assert job == QueueJob("a", None, problem="its result is " + "x" * 186)


@pytest.mark.parametrize("outcome", [0, JobOutcome.SUCCEEDED])
def test_an_error_of_an_earlier_attempt_is_dropped(outcome: int) -> None:
    """A job that is pending or has succeeded has no error."""
    job = to_job(status(job_id="a", outcome=outcome, attempt=2, error_type="E", error_message="it broke"))
    assert job == QueueJob("a", JobOutcome(outcome) if outcome else None, 2)


def test_a_failure_keeps_its_error_cut_to_the_permitted_length() -> None:
    """A job without an attempt is the first one."""
    job = to_job(status(job_id="a", outcome=2, error_type="E" * 300, error_message="ü" * 3_000))
    error = "E" * ERROR_TYPE_CHARACTERS_MAX, "ü" * ERROR_MESSAGE_CHARACTERS_MAX
    assert job == QueueJob("a", JobOutcome.FAILED, 1, *error)


@pytest.mark.parametrize(
    ("jobs", "seconds"), [(0, 10), (100_000, 10), (250_000, 25), (1_000_000, 100), (10**9, 100)]
)
def test_the_counts_of_a_large_batch_may_take_longer(jobs: int, seconds: float) -> None:
    """They come in one call, while a list has a deadline for each of its pages."""
    assert count_seconds_max(jobs, 10.0) == seconds
