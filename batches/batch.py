"""A batch of jobs: its numbers, its states, and how each may change. Pure.

Always: succeeded + failed + skipped + pending = total, and none is negative.
A change returns a new Batch with the next revision, or the same object if nothing changes.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from batches.errors import BatchCancelled, BatchCompleted, BatchSealed, TotalTooLarge
from batches.result import JobOutcome

TOTAL_JOBS_MAX = 1_000_000_000
"""Far above any queue's batch, and far below where 64 bits or a float's exact integers end."""

DISPLAY_NAME_CHARACTERS_MAX = 200
"""A line on a screen, with room to spare."""
LABEL_KEY_CHARACTERS_MAX = 63
"""As of Kubernetes' labels, so that theirs can be taken over."""
LABEL_VALUE_CHARACTERS_MAX = 200
"""As of a display name; an index of MySQL holds key and value."""


class BatchState(enum.IntEnum):
    """What a batch is at; the numbers are kept in the database and equal the contract's."""

    PROCESSING = 1
    COMPLETED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """How many jobs ended in each way."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        """How many jobs ended."""
        return self.succeeded + self.failed + self.skipped

    def __add__(self, other: "Tally") -> "Tally":
        """Add outcome by outcome."""
        return Tally(
            self.succeeded + other.succeeded, self.failed + other.failed, self.skipped + other.skipped
        )

    def __sub__(self, other: "Tally") -> "Tally":
        """Subtract outcome by outcome."""
        return Tally(
            self.succeeded - other.succeeded, self.failed - other.failed, self.skipped - other.skipped
        )

    def of(self, outcome: JobOutcome) -> int:
        """How many jobs ended with the outcome."""
        return (self.succeeded, self.failed, self.skipped)[outcome - 1]


NO_JOBS = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it was at `read_time`; all times are UTC, by the database's clock."""

    batch_key: int
    batch_id: str
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: BatchState = BatchState.PROCESSING
    sealed: bool
    announced_jobs: int
    """The number of jobs the creator announced; final once the batch is sealed."""
    tally: Tally = NO_JOBS
    """Every ended job, whether it has a row or only a count."""
    unattributed: Tally = NO_JOBS
    """The part of the tally taken from a queue's counts, which has no rows: rows + unattributed = tally."""
    reconciled_jobs: int = 0
    """The part of the tally that came from the reconciler, with rows or without."""
    revision: int = 1
    results_per_second: float = 0.0
    """The recent rate as it was at last_result_time; batches.pace fades it."""
    create_time: datetime
    first_result_time: datetime | None = None
    """When the first result of a worker came; the rate is an average since then."""
    last_result_time: datetime | None = None
    complete_time: datetime | None = None
    read_time: datetime

    @property
    def total_jobs(self) -> int:
        """How many jobs there are: of an unsealed batch, workers may report more than was announced yet."""
        return max(self.announced_jobs, self.tally.ended)

    @property
    def pending_jobs(self) -> int:
        """How many jobs have no result."""
        return self.total_jobs - self.tally.ended

    @property
    def percent_complete(self) -> int:
        """Ended jobs in percent, rounded down; 100 only if nothing is pending and the batch is sealed."""
        if self.sealed and self.pending_jobs == 0:
            return 100
        if self.total_jobs == 0:
            return 0
        return min(99, self.tally.ended * 100 // self.total_jobs)

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state is not BatchState.PROCESSING

    @property
    def quiet_since(self) -> datetime:
        """When the last result came, or the batch was created."""
        return self.last_result_time or self.create_time

    @property
    def change_time(self) -> datetime:
        """The time of a change made now: not before the last result, though statements begin out of turn."""
        return max(self.read_time, self.quiet_since)

    def with_jobs_added(self, additional_jobs: int) -> "Batch":
        """Return the batch with a higher total; an unsealed batch only."""
        if self.state is BatchState.CANCELLED:
            raise BatchCancelled(self.batch_id)
        if self.sealed:
            raise BatchSealed(self.batch_id)
        if self.announced_jobs + additional_jobs > TOTAL_JOBS_MAX:
            raise TotalTooLarge(self.batch_id, TOTAL_JOBS_MAX)
        return replace(self, announced_jobs=self.announced_jobs + additional_jobs, revision=self.revision + 1)

    def with_seal(self) -> "Batch":
        """Return the batch sealed, its total final, and completed if nothing is pending."""
        if self.sealed or self.has_ended:
            return self
        sealed = replace(self, sealed=True, announced_jobs=self.total_jobs, revision=self.revision + 1)
        return sealed.with_completion()

    def with_cancellation(self) -> "Batch":
        """Return the batch cancelled; its total stays, and late results are still counted."""
        if self.state is BatchState.CANCELLED:
            return self
        if self.state is BatchState.COMPLETED:
            raise BatchCompleted(self.batch_id)
        return replace(
            self,
            state=BatchState.CANCELLED,
            complete_time=self.change_time,
            revision=self.revision + 1,
        )

    def with_completion(self) -> "Batch":
        """Return the batch completed if it is sealed and nothing is pending; part of another change."""
        if self.has_ended or not self.sealed or self.pending_jobs > 0:
            return self
        return replace(self, state=BatchState.COMPLETED, complete_time=self.change_time)
