"""What a queue must be able to tell to be a source of truth. Knows no gRPC, no protobuf, no database."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol, Self

from batches.result import JobOutcome


class JobStatusError(Exception):
    """The queue's answer cannot be given."""

    def __init__(self, detail: str = "") -> None:
        """Say the class's sentence, with a detail that may leave the server: no value, no text of others."""
        sentence = (type(self).__doc__ or type(self).__name__).removesuffix(".")
        super().__init__(f"{sentence}: {detail}." if detail else f"{sentence}.")


class BatchUnknown(JobStatusError):
    """The queue does not know the batch."""


class JobsNotListed(JobStatusError):
    """The queue keeps only counts, no list of jobs."""


class QueueUnavailable(JobStatusError):
    """The queue does not answer; nothing is known."""


class QueueContradiction(JobStatusError):
    """What the queue keeps of the batch cannot be read."""


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """The counts of a batch, in jobs, all read at one moment.

    They are the queue's own: counts that contradict each other (a negative one) are told
    as they are, so that the reconciler sees it.
    """

    total: int
    succeeded: int
    failed: int
    """Failed for good: a failure that will be retried is pending."""
    skipped: int
    """Ended, or will never start, without doing their work."""
    pending: int
    """Wait, run or will be retried."""
    finished: bool
    """Whether all have ended and the queue adds no more: False where it cannot know that."""
    cancelled: bool
    lists_jobs: bool = True
    """Whether `job_page` lists them; False: only these counts are kept."""

    @classmethod
    def of(
        cls,
        jobs: Counter[JobOutcome | None],
        *,
        may_grow: bool,
        cancelled: bool = False,
        lists_jobs: bool = True,
    ) -> Self:
        """Return the counts of so many jobs of each outcome (None: pending), to which more may be added."""
        return cls(
            total=jobs.total(),
            succeeded=jobs[JobOutcome.SUCCEEDED],
            failed=jobs[JobOutcome.FAILED],
            skipped=jobs[JobOutcome.SKIPPED],
            pending=jobs[None],
            finished=jobs[None] == 0 and not may_grow,
            cancelled=cancelled,
            lists_jobs=lists_jobs,
        )


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What the queue knows about one job."""

    job_id: str
    outcome: JobOutcome | None
    """None: it waits, runs or will be retried."""
    attempt: int = 1
    """Counted from 1."""
    error_type: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some of a batch's jobs, and the key that the next page begins after; None on the last page.

    The key is the id of the page's last job: whoever cuts a page knows where the next one begins.
    """

    statuses: tuple[JobStatus, ...]
    next_key: str | None = None


class JobStatusSource(Protocol):
    """A queue that can be asked. Reads only."""

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch.

        Raises:
            BatchUnknown: the queue has no such batch; ids are compared byte for byte.
            QueueContradiction: it has, but what it keeps of it is unreadable.
            QueueUnavailable: it does not answer in time.

        """

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List at most `size` jobs after a key (None: from the first), each once, in a fixed order.

        Raises:
            JobsNotListed: only counts are kept.
            BatchUnknown, QueueContradiction, QueueUnavailable: as for `batch_counts`.

        """

    async def check(self) -> None:
        """Make the smallest read that shows that the queue can be asked.

        Raises:
            QueueUnavailable: it cannot.

        """

    async def close(self) -> None:
        """Let go of every connection."""
