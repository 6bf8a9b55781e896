"""The reconciler's interface to a queue, and its errors. Independent of gRPC."""

import enum
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from batches.batch import Tally
from batches.result import JobOutcome


class QueueError(Exception):
    """The queue gives no usable answer. The message never repeats what the queue holds."""


class QueueBatchUnknown(QueueError):
    """The queue does not know the batch."""


class JobsNotListed(QueueError):
    """The queue keeps only counts."""


class QueueUnavailable(QueueError):
    """The queue does not answer about this batch, and perhaps about no other one either."""


class QueueTimeout(QueueError):
    """The queue does not answer about this batch in time; it may answer about the next one."""


class QueueAccessDenied(QueueError):
    """The queue's service refuses the caller."""


class QueueFault(QueueError):
    """The queue's service failed on this batch; it may answer about the next one."""


class QueueContradiction(QueueError):
    """The queue's answer cannot be true, or cannot be read."""


class ServiceHealth(enum.Enum):
    """What a health check says about the queue's service."""

    SERVING = enum.auto()
    NOT_SERVING = enum.auto()
    """The service says so, or it does not answer."""
    UNKNOWN = enum.auto()
    """The service answers, but has no health check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How many jobs of a batch are in each state, as the queue says; nothing here is checked yet."""

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
        """The jobs that have ended."""
        return Tally(self.succeeded, self.failed, self.skipped)


class QueueJob(NamedTuple):
    """One job in the queue's list.

    A tuple because a pass creates millions: it takes a third of the time of a dataclass.
    """

    job_id: str
    outcome: JobOutcome | None
    """None: the job waits, runs or will be retried."""
    attempt: int = 1
    error_type: str = ""
    error_message: str = ""
    display_name: str = ""
    problem: str = ""
    """What the queue's service cannot read of this job, which is pending then."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a batch's jobs."""

    jobs: tuple[QueueJob, ...]
    next_page_token: str = ""
    """Empty on the last page."""


class JobQueue(Protocol):
    """A queue that answers questions about its batches. Both methods may raise any QueueError."""

    async def batch_counts(self, batch_id: str, jobs: int = 0) -> QueueCounts:
        """Return the counts of a batch that has about so many jobs; more jobs may take longer to count."""

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:
        """Return at most `size` jobs, from the page that the token names; "" names the first."""
