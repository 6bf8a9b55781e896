"""What the rows of a job table say, without any database. The states are told in `job_table`."""

from collections import Counter
from collections.abc import Iterable

from batches.result import JobOutcome
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction
from services.job_status.sources.numbers import whole_number

CANCELLED = "cancelled"
OUTCOMES: dict[str, JobOutcome | None] = {
    "waiting": None,
    "running": None,
    "succeeded": JobOutcome.SUCCEEDED,
    "failed": JobOutcome.FAILED,
    "skipped": JobOutcome.SKIPPED,
    CANCELLED: JobOutcome.SKIPPED,
}


def counts_of(jobs_by_state: Iterable[tuple[object, int]]) -> BatchCounts:
    """Return the counts of a batch from how many jobs are in each state; a state may come twice.

    Raises:
        QueueContradiction: a state is none that is known.

    """
    jobs: Counter[JobOutcome | None] = Counter()
    cancelled = False
    for text, number in jobs_by_state:
        state = _known_state(text)
        jobs[OUTCOMES[state]] += number
        cancelled = cancelled or state == CANCELLED
    return BatchCounts.of(jobs, may_grow=True, cancelled=cancelled)


def status_of(
    job_id: bytes, state: object, attempt: object, error_type: object, error_message: object
) -> JobStatus:
    """Return the job of a row, given as the database returned it.

    Raises:
        QueueContradiction: its state is none that is known, or its attempt is no number.

    """
    return JobStatus(
        # An id that is not ASCII gets a character that no identifier has, and is refused as such.
        job_id=job_id.decode("ascii", "replace"),
        outcome=OUTCOMES[_known_state(state)],
        attempt=whole_number("attempt", attempt or 1),
        error_type=str(error_type or ""),
        error_message=str(error_message or ""),
    )


def _known_state(text: object) -> str:
    """Return the state in small letters: `Failed` and `failed` are one to most collations of MySQL."""
    state = str(text).lower()
    if state not in OUTCOMES:
        raise QueueContradiction(f"a job's state is none of {', '.join(OUTCOMES)}")
    return state
