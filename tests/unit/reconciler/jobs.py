"""Jobs of a queue's list."""

from batches.result import JobOutcome
from reconciler.queue.port import QueueJob
from tests.support.samples import SUCCEEDED


def job(job_id: str, outcome: JobOutcome | None = SUCCEEDED, attempt: int = 1) -> QueueJob:
    """Return a job without an error."""
    return QueueJob(job_id, outcome, attempt)
