"""Interprets the rows of a job table, without I/O. `job_table` documents the states."""

from collections import Counter
from collections.abc import Iterable

from batches.result import ATTEMPT_MAX, JobOutcome
from services.job_status.source import BatchCounts, JobStatus
from services.job_status.sources.unreadable import Unreadable

CANCELLED = "cancelled"
OUTCOMES: dict[str, JobOutcome | None] = {
    "waiting": None,
    "running": None,
    "succeeded": JobOutcome.SUCCEEDED,
    "failed": JobOutcome.FAILED,
    "skipped": JobOutcome.SKIPPED,
    CANCELLED: JobOutcome.SKIPPED,
}


def counts_of(jobs_by_state: Iterable[tuple[object, int, int]]) -> BatchCounts:
    """Return the counts of a batch.

    Args:
        jobs_by_state: a state, the number of jobs in it, and how many of these have an invalid attempt. A
            state may occur more than once. Jobs with an unknown state or an invalid attempt are pending.

    """
    jobs: Counter[JobOutcome | None] = Counter()
    cancelled = False
    for value, number, unreadable in jobs_by_state:
        state = _lower(value)
        jobs[OUTCOMES.get(state)] += number - unreadable
        jobs[None] += unreadable
        cancelled = cancelled or state == CANCELLED
    return BatchCounts.of(jobs, may_grow=True, cancelled=cancelled)


def job_id_of(value: bytes) -> str:
    """Return an id; one that is not ASCII gets a character that no identifier may have, and is rejected."""
    return value.decode("ascii", "replace")


def status_of(
    job_id: str, state: object, attempt: object, error_type: object, error_message: object
) -> JobStatus:
    """Return the job that a row describes, given the column values as the database returned them.

    Raises:
        Unreadable: the state is unknown, or the attempt is not one.

    """
    if _lower(state) not in OUTCOMES:
        raise Unreadable(f"its state is not one of {', '.join(OUTCOMES)}")
    return JobStatus(
        job_id,
        OUTCOMES[_lower(state)],
        attempt=_parse_attempt(attempt),
        error_type=str(error_type or ""),
        error_message=str(error_message or ""),
    )


def _lower(value: object) -> str:
    """Return a state in lower case: most collations of MySQL treat `Failed` and `failed` as equal."""
    return str(value).lower()


def _parse_attempt(value: object) -> int:
    """Return an attempt, 1 if there is none; SQLite stores any type in any column."""
    if value is None:
        return 1
    if not isinstance(value, int) or not 0 <= value <= ATTEMPT_MAX:
        raise Unreadable("its attempt is not a number from 0 to 2,147,483,647")
    return value or 1
