"""What the rows of a job table say."""

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


def test_counts_add_up() -> None:
    """Each job is counted once: waiting and running as pending, cancelled as skipped."""
    counts = counts_of(ALL_STATES)
    assert (counts.pending, counts.succeeded, counts.failed, counts.skipped) == (3, 4, 8, 48)
    assert counts.total == 63


def test_never_finished() -> None:
    """Rows may be added to a table at any time, so that no batch is finished, though all its jobs ended."""
    counts = counts_of([("succeeded", 1), ("failed", 1), ("skipped", 1), ("cancelled", 1)])
    assert (counts.finished, counts.pending) == (False, 0)


@pytest.mark.parametrize(("state", "cancelled"), [("cancelled", True), ("skipped", False), ("failed", False)])
def test_cancelled(state: str, cancelled: bool) -> None:  # noqa: FBT001  # a column of the table
    """A batch is cancelled if one of its jobs is."""
    assert counts_of([("succeeded", 9), (state, 1)]).cancelled is cancelled


def test_case_of_states() -> None:
    """A state is the same in either case, since a database may group both or not."""
    assert counts_of([("Failed", 1), ("FAILED", 1), ("failed", 1)]).failed == 3


@pytest.mark.parametrize("state", ["done", "", None, 1, "failed "])
def test_unknown_state(state: object) -> None:
    """A state that is not documented is a contradiction, in counts and in lists."""
    with pytest.raises(QueueContradiction):
        counts_of([("succeeded", 1), (state, 1)])
    with pytest.raises(QueueContradiction):
        status_of(b"a", state, 1, None, None)


STATUSES = {
    "pending": ((b"a", "running", 2, None, None), JobStatus("a", None, 2)),
    "failed": ((b"a", "failed", 3, "E", "why"), JobStatus("a", JobOutcome.FAILED, 3, "E", "why")),
    "cancelled": ((b"a", "cancelled", 1, None, None), JobStatus("a", JobOutcome.SKIPPED)),
    "no attempt": ((b"a", "succeeded", None, None, None), JobStatus("a", JobOutcome.SUCCEEDED, 1)),
    "an attempt that was not begun": ((b"a", "waiting", 0, None, None), JobStatus("a", None, 1)),
}


@pytest.mark.parametrize(("row", "expected"), STATUSES.values(), ids=STATUSES)
def test_statuses(row: tuple[bytes, object, object, object, object], expected: JobStatus) -> None:
    """A row becomes the job it describes."""
    assert status_of(*row) == expected


def test_attempt_in_words() -> None:
    """An attempt that is no number is a contradiction."""
    with pytest.raises(QueueContradiction):
        status_of(b"a", "failed", "third", None, None)
