"""The batch and the results that most tests use; a test replaces the values that its rule is about."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from batches.batch import Batch, Tally
from batches.result import JobOutcome, JobResult, ResultSource, StoredAttempt

SUCCEEDED, FAILED, SKIPPED = JobOutcome
WORKER, RECONCILER = ResultSource

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The time at which BATCH was created and read."""

BATCH = Batch(
    batch_key=7,
    batch_id="batch",
    sealed=True,
    announced_jobs=10,
    create_time=NOON,
    read_time=NOON,
)
"""A sealed batch of ten jobs, none of them reported."""

Stored = dict[tuple[int, str], StoredAttempt]


def at(seconds: float) -> datetime:
    """Return the time this many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def result(
    job_id: str,
    outcome: JobOutcome = SUCCEEDED,
    *,
    attempt: int = 1,
    batch_id: str = "batch",
) -> JobResult:
    """Return a report without an error."""
    return JobResult(batch_id, job_id, outcome, attempt)


def failure(job_id: str, error_type: str, error_message: str = "", *, attempt: int = 1) -> JobResult:
    """Return a report of a failure."""
    return JobResult("batch", job_id, FAILED, attempt, error_type, error_message)


def detailed(job_id: str, error_details: str = "trace", *, attempt: int = 1) -> JobResult:
    """Return a report of a failure with details."""
    return JobResult("batch", job_id, FAILED, attempt, "E", error_details=error_details)


def results(
    number: int, outcome: JobOutcome = SUCCEEDED, *, batch_id: str = "batch", first: int = 0
) -> list[JobResult]:
    """Return reports of this many jobs, named job-00000 and so on."""
    return [result(f"job-{index:05}", outcome, batch_id=batch_id) for index in range(first, first + number)]


def stored(
    job_id: str, outcome: JobOutcome = SUCCEEDED, *, attempt: int = 1, source: ResultSource = WORKER
) -> Stored:
    """Return the recorded attempt of one job of BATCH."""
    return {(BATCH.batch_key, job_id): StoredAttempt(attempt, outcome, source)}


def tally_of(outcomes: Iterable[JobOutcome]) -> Tally:
    """Count outcomes."""
    counted = list(outcomes)
    return Tally(*(counted.count(outcome) for outcome in JobOutcome))
