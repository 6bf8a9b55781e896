"""The interpretation of the rows of a job table."""

import pytest

from batches.result import JobOutcome
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.job_states import counts_of, status_of

ALL_STATES = [
    ("waiting", 1),
    ("running", 2),
    ("succeeded", 4),
    ("failed", 8),
    ("skipped", 16),
    ("cancelled", 32),
]


def test_each_job_is_counted_once() -> None:
    """Waiting and running jobs are pending, cancelled ones skipped."""
    counts = counts_of(ALL_STATES)
    assert (counts.pending, counts.succeeded, counts.failed, counts.skipped) == (3, 4, 8, 48)
    assert counts.total == 63


def test_batch_is_never_finished() -> None:
    """Rows may be added at any time, even after all jobs have ended."""
    counts = counts_of([("succeeded", 1), ("failed", 1), ("skipped", 1), ("cancelled", 1)])
    assert (counts.finished, counts.pending) == (False, 0)


@pytest.mark.parametrize(("state", "cancelled"), [("cancelled", True), ("skipped", False), ("failed", False)])
def test_batch_is_cancelled_if_one_of_its_jobs_is(state: str, cancelled: bool) -> None:  # noqa: FBT001  # a column of the table
    assert counts_of([("succeeded", 9), (state, 1)]).cancelled is cancelled


def test_case_of_a_state_is_ignored() -> None:
    """Some databases group both cases, others do not."""
    assert counts_of([("Failed", 1), ("FAILED", 1), ("failed", 1)]).failed == 3


@pytest.mark.parametrize("state", ["done", "", None, 1, "failed "])
def test_unknown_state_is_a_contradiction(state: object) -> None:
    with pytest.raises(QueueContradiction):
        counts_of([("succeeded", 1), (state, 1)])
    with pytest.raises(QueueContradiction):
        status_of(b"a", state, 1, None, None)


STATUSES = {
    "pending": ((b"a", "running", 2, None, None), JobStatus("a", None, 2)),
    "failed": ((b"a", "failed", 3, "E", "why"), JobStatus("a", JobOutcome.FAILED, 3, "E", "why")),
    "cancelled": ((b"a", "cancelled", 1, None, None), JobStatus("a", JobOutcome.SKIPPED)),
    "attempt is NULL": ((b"a", "succeeded", None, None, None), JobStatus("a", JobOutcome.SUCCEEDED, 1)),
    "attempt is 0": ((b"a", "waiting", 0, None, None), JobStatus("a", None, 1)),
}


@pytest.mark.parametrize(("row", "expected"), STATUSES.values(), ids=STATUSES)
def test_row_becomes_the_job_it_describes(
    row: tuple[bytes, object, object, object, object], expected: JobStatus
) -> None:
    assert status_of(*row) == expected


def test_attempt_that_is_not_an_integer_is_a_contradiction() -> None:
    with pytest.raises(QueueContradiction):
        status_of(b"a", "failed", "third", None, None)
