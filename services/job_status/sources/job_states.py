"""Interprets the rows of a job table, without I/O. `job_table` documents the states."""

from collections import Counter
from collections.abc import Iterable

from batches.result import JobOutcome
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction
from services.job_status.sources.columns import require_int

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
    """Return the counts of a batch from its number of jobs by state; a state may occur more than once.

    Raises:
        QueueContradiction: a state is unknown.

    """
    jobs: Counter[JobOutcome | None] = Counter()
    cancelled = False
    for value, number in jobs_by_state:
        state = _known_state(value)
        jobs[OUTCOMES[state]] += number
        cancelled = cancelled or state == CANCELLED
    return BatchCounts.of(jobs, may_grow=True, cancelled=cancelled)


def status_of(
    job_id: bytes, state: object, attempt: object, error_type: object, error_message: object
) -> JobStatus:
    """Return the job that a row describes, given the column values as the database returned them.

    Raises:
        QueueContradiction: the state is unknown, or the attempt is not an integer.

    """
    return JobStatus(
        # An id that is not ASCII gets a character that no identifier may have, and is then rejected.
        job_id=job_id.decode("ascii", "replace"),
        outcome=OUTCOMES[_known_state(state)],
        attempt=require_int("attempt", attempt or 1),
        error_type=str(error_type or ""),
        error_message=str(error_message or ""),
    )


def _known_state(value: object) -> str:
    """Return a state in lower case: most collations of MySQL treat `Failed` and `failed` as equal."""
    state = str(value).lower()
    if state not in OUTCOMES:
        raise QueueContradiction(f"a job's state is not one of {', '.join(OUTCOMES)}")
    return state
