"""The interface between the JobStatusService and a queue: free of gRPC, protobuf and SQLAlchemy."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol, Self

from batches.result import JobOutcome


class JobStatusError(Exception):
    """The queue cannot answer.

    Args:
        detail: what exactly is wrong. It is sent to callers, so it never contains data read from the queue
            nor the text of another error.

    """

    def __init__(self, detail: str = "") -> None:
        summary = (type(self).__doc__ or type(self).__name__).removesuffix(".")
        super().__init__(f"{summary}: {detail}." if detail else f"{summary}.")


class BatchUnknown(JobStatusError):
    """The queue does not know the batch."""


class JobsNotListed(JobStatusError):
    """The queue keeps only counts and cannot list jobs."""


class QueueUnavailable(JobStatusError):
    """The queue is unavailable."""


PROBLEM_CHARACTERS_MAX = 200
"""The contract's limit: a sentence."""


class QueueContradiction(JobStatusError):
    """The queue's data about the batch is unusable."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem[:PROBLEM_CHARACTERS_MAX]


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """The job counts of a batch, read at a single point in time.

    A source passes counts on as the queue has them; `convert` refuses negative ones for all sources.
    """

    total: int
    succeeded: int
    failed: int
    """Failed permanently. A failed job that will be retried is pending."""
    skipped: int
    """Ended without doing its work, or will never start."""
    pending: int
    """Waiting, running or to be retried."""
    finished: bool
    """Whether all jobs have ended and no more will come. False without jobs, or if the queue cannot know."""
    cancelled: bool
    lists_jobs: bool = True
    """Whether `job_page` can list the jobs. False if the queue keeps only counts."""

    @classmethod
    def of(
        cls,
        jobs: Counter[JobOutcome | None],
        *,
        may_grow: bool,
        cancelled: bool = False,
        lists_jobs: bool = True,
    ) -> Self:
        """Return the counts of a batch from its number of jobs by outcome.

        Args:
            jobs: the number of jobs by outcome; the key None counts pending jobs.
            may_grow: whether jobs may still be added to the batch.
            cancelled: whether the batch was cancelled.
            lists_jobs: whether `job_page` can list the jobs.

        """
        return cls(
            total=jobs.total(),
            succeeded=jobs[JobOutcome.SUCCEEDED],
            failed=jobs[JobOutcome.FAILED],
            skipped=jobs[JobOutcome.SKIPPED],
            pending=jobs[None],
            finished=jobs.total() > 0 and jobs[None] == 0 and not may_grow,
            cancelled=cancelled,
            lists_jobs=lists_jobs,
        )


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of one job according to the queue."""

    job_id: str
    outcome: JobOutcome | None
    """None if the job is pending: waiting, running or to be retried."""
    attempt: int = 1
    """The number of the latest attempt, starting at 1."""
    error_type: str = ""
    error_message: str = ""
    display_name: str = ""
    """What the job is, for people; empty if the queue does not tell."""
    problem: str = ""
    """What of the job is unreadable, without data read from the queue; the job is pending then."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of a batch's jobs."""

    statuses: tuple[JobStatus, ...]
    next_key: str | None = None
    """The id of the last job on this page, to request the next page with. None on the last page.

    Because the key is a job id, a page can be cut short anywhere and still be continued.
    """


class JobStatusSource(Protocol):
    """A queue that the service reads job statuses from. Read-only."""

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch.

        Raises:
            BatchUnknown: the queue has no such batch. Ids are compared byte for byte.
            QueueContradiction: the queue's data about the batch is unreadable.
            QueueUnavailable: the queue did not answer in time.

        """

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs of a batch in a stable order, each job once.

        Args:
            batch_id: the batch.
            after: list the jobs after this id; None starts with the first job.
            size: the maximum number of jobs to return.

        Raises:
            JobsNotListed: the queue keeps only counts.
            BatchUnknown, QueueContradiction, QueueUnavailable: as for `batch_counts`.

        """

    async def check(self) -> None:
        """Check with a minimal read that the queue answers.

        Raises:
            QueueUnavailable: the queue did not answer in time.

        """

    async def close(self) -> None:
        """Close all connections."""
