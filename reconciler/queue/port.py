"""What the reconciler asks of a queue, and what can go wrong. Knows no gRPC."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from batches.batch import Tally
from batches.result import JobOutcome


class QueueError(Exception):
    """The queue gives no answer that can be used; the text is a sentence of ours, for people."""


class QueueBatchUnknown(QueueError):
    """The queue does not know the batch."""


class JobsNotListed(QueueError):
    """The queue keeps only counts."""


class QueueUnavailable(QueueError):
    """The queue does not answer, for this batch or any other; nothing is known."""


class QueueFault(QueueError):
    """The queue's service answers with an error of its own; it may well answer for the next batch."""


class QueueContradiction(QueueError):
    """What the queue says cannot be true, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How many jobs of a batch are at what, as the queue says: nothing here was checked."""

    total: int
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    finished: bool = False
    cancelled: bool = False
    lists_jobs: bool = False

    @property
    def tally(self) -> Tally:
        """The jobs that ended."""
        return Tally(self.succeeded, self.failed, self.skipped)


class QueueJob(NamedTuple):
    """One job as the queue lists it. A tuple, since a pass makes millions: a third of a dataclass's time."""

    job_id: str
    outcome: JobOutcome | None
    """None: it waits, runs or will be retried."""
    attempt: int = 1
    error_type: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some of a batch's jobs, and where the next page begins; empty on the last one."""

    jobs: tuple[QueueJob, ...]
    next_page_token: str = ""


class JobQueue(Protocol):
    """A queue that can be asked about its batches. Both calls may raise any QueueError."""

    async def batch_counts(self, batch_id: str) -> QueueCounts:
        """Return the counts of a batch; QueueBatchUnknown if there is no such batch."""

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:
        """Return at most `size` jobs; JobsNotListed if only counts are kept."""
