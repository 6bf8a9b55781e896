"""The interpretation of the rows of a job table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batches.result import JobOutcome
from services.job_status.convert import to_job_status
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.job_states import counts_of, job_id_of, status_of
from services.job_status.sources.unreadable import status_or_problem

TEXTS = st.text(st.characters(codec=None), max_size=9)
VALUES = st.none() | st.integers() | st.floats() | TEXTS | st.binary(max_size=9)

ALL_STATES = [
    ("waiting", 1, 0),
    ("running", 2, 0),
    ("succeeded", 4, 0),
    ("failed", 8, 0),
    ("skipped", 16, 0),
    ("cancelled", 32, 0),
]


def test_each_job_is_counted_once() -> None:
    """Waiting and running jobs are pending, cancelled ones skipped."""
    counts = counts_of(ALL_STATES)
    assert (counts.pending, counts.succeeded, counts.failed, counts.skipped) == (3, 4, 8, 48)
    assert counts.total == 63


def test_batch_is_never_finished() -> None:
    """Rows may be added at any time, even after all jobs have ended."""
    counts = counts_of([(state, 1, 0) for state in ("succeeded", "failed", "skipped", "cancelled")])
    assert (counts.finished, counts.pending) == (False, 0)


@pytest.mark.parametrize(("state", "cancelled"), [("cancelled", True), ("skipped", False), ("failed", False)])
def test_batch_is_cancelled_if_one_of_its_jobs_is(state: str, cancelled: bool) -> None:  # noqa: FBT001  # a column of the table
    assert counts_of([("succeeded", 9, 0), (state, 1, 0)]).cancelled is cancelled


def test_case_of_a_state_is_ignored() -> None:
    """Some databases group both cases, others do not."""
    assert counts_of([("Failed", 1, 0), ("FAILED", 1, 0), ("failed", 1, 0)]).failed == 3


@pytest.mark.parametrize("state", ["done", "", None, 1, b"failed", "failed "])
def test_job_with_an_unknown_state_is_pending_with_a_problem(state: object) -> None:
    assert counts_of([("succeeded", 1, 0), (state, 1, 0)]).pending == 1
    status = status_or_problem("a", lambda: status_of("a", state, 1, "E", "why"))
    assert (status.outcome, status.problem.startswith("its state is not one of")) == (None, True)


@pytest.mark.parametrize("attempt", ["third", 1.5, -1, 2**31, b"1"])
def test_job_with_an_invalid_attempt_is_pending_with_a_problem(attempt: object) -> None:
    assert counts_of([("succeeded", 3, 1)]).pending == 1
    status = status_or_problem("a", lambda: status_of("a", "failed", attempt, None, None))
    assert (status.outcome, status.problem.startswith("its attempt is not")) == (None, True)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(VALUES, min_size=4, max_size=4))
def test_any_row_is_a_job_that_a_message_can_carry(values: list[object]) -> None:
    """SQLite stores any type in any column."""
    for row in (values, ["failed", 1, *values[2:]]):
        to_job_status(status_or_problem("a", lambda row=row: status_of("a", *row)))  # type: ignore[misc]


STATUSES = {
    "pending": (("a", "running", 2, None, None), JobStatus("a", None, 2)),
    "failed": (("a", "failed", 3, "E", "why"), JobStatus("a", JobOutcome.FAILED, 3, "E", "why")),
    "cancelled": (("a", "cancelled", 1, None, None), JobStatus("a", JobOutcome.SKIPPED)),
    "attempt is NULL": (("a", "succeeded", None, None, None), JobStatus("a", JobOutcome.SUCCEEDED, 1)),
    "attempt is 0": (("a", "waiting", 0, None, None), JobStatus("a", None, 1)),
}


@pytest.mark.parametrize(("row", "expected"), STATUSES.values(), ids=STATUSES)
def test_row_becomes_the_job_it_describes(
    row: tuple[str, object, object, object, object], expected: JobStatus
) -> None:
    assert status_of(*row) == expected


def test_id_that_is_not_ascii_is_no_identifier() -> None:
    """It is rejected when it is converted."""
    with pytest.raises(QueueContradiction):
        to_job_status(JobStatus(job_id_of("ü".encode()), None))
