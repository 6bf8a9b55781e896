"""A batch of jobs: its counters, its states and the changes it allows. Pure.

Invariant: succeeded + failed + skipped + pending = total, and none of them is negative.
Every change returns a new Batch with the next revision, or the same object if nothing changed.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from batches.clock import lies_ahead
from batches.errors import (
    BatchCancelled,
    BatchCompleted,
    BatchSealed,
    TotalTooLarge,
)
from batches.failure_limit import CancelReason, FailureLimit
from batches.result import JobOutcome

TOTAL_JOBS_MAX = 1_000_000_000
"""Far above the size of any real batch, and far below the limits of 64-bit integers and exact floats."""

DISPLAY_NAME_CHARACTERS_MAX = 200
"""One line on a screen, with room to spare."""
LABEL_KEY_CHARACTERS_MAX = 63
"""The limit of Kubernetes, so that its labels can be copied."""
LABEL_VALUE_CHARACTERS_MAX = 200
"""The same as a display name; key and value together must fit into one MySQL index."""


class BatchState(enum.IntEnum):
    """The state of a batch. The numbers are stored in the database and equal those of the contract."""

    PROCESSING = 1
    COMPLETED = 2
    CANCELLED = 3


Version = tuple[int, int, datetime | None]
"""batch_key, revision and last_result_time: others after every change, also if another batch has taken the
id, or if a fail-over of the database lost results and as many others came since."""
UNREAD: Version = (0, 0, None)
"""That of no batch."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of ended jobs per outcome."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        """The number of ended jobs, whatever their outcome."""
        return self.succeeded + self.failed + self.skipped

    def __add__(self, other: "Tally") -> "Tally":
        """Add each outcome separately."""
        return Tally(
            self.succeeded + other.succeeded, self.failed + other.failed, self.skipped + other.skipped
        )

    def __sub__(self, other: "Tally") -> "Tally":
        """Subtract each outcome separately."""
        return Tally(
            self.succeeded - other.succeeded, self.failed - other.failed, self.skipped - other.skipped
        )

    def of(self, outcome: JobOutcome) -> int:
        """Return the number of jobs that ended with this outcome."""
        return (self.succeeded, self.failed, self.skipped)[outcome - 1]


NO_JOBS = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it was at `read_time`. All times are UTC and come from the database's clock."""

    batch_key: int
    """The database's own key: batches that were created later have higher keys."""
    batch_id: str
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: BatchState = BatchState.PROCESSING
    sealed: bool
    announced_jobs: int
    """The number of jobs that the creator announced; final once the batch is sealed."""
    tally: Tally = NO_JOBS
    """All ended jobs, including those that have no row."""
    unattributed: Tally = NO_JOBS
    """The part of the tally that a queue only counted, which has no rows: rows + unattributed = tally."""
    reconciled_jobs: int = 0
    """The part of the tally that came from the reconciler, as rows or as counts."""
    revision: int = 1
    results_per_second: float = 0.0
    """The recent rate as of last_result_time; batches.pace derives the present rate from it."""
    create_time: datetime
    first_result_time: datetime | None = None
    """The time of the first result from a worker; the rate is an average since then."""
    last_result_time: datetime | None = None
    complete_time: datetime | None = None
    cancel_reason: CancelReason | None = None
    """None unless the batch is cancelled, and if a server before schema 0009 cancelled it."""
    failure_limit: FailureLimit | None = None
    """None if any number of jobs may fail."""
    recent_history: bytes | None = field(default=None, repr=False, compare=False)  # see batches.history
    read_time: datetime
    ends_now: bool = field(default=False, compare=False, repr=False)
    """Whether the change that made this object ends the batch: saving it writes the event of the end."""

    @property
    def total_jobs(self) -> int:
        """The number of jobs; workers may report more jobs of an unsealed batch than are announced yet."""
        return max(self.announced_jobs, self.tally.ended)

    @property
    def pending_jobs(self) -> int:
        """The number of jobs that have no result yet."""
        return self.total_jobs - self.tally.ended

    @property
    def percent_complete(self) -> int:
        """The share of ended jobs, rounded down; 100 only if the batch is sealed and nothing is pending."""
        if self.sealed and self.pending_jobs == 0:
            return 100
        if self.total_jobs == 0:
            return 0
        return min(99, self.tally.ended * 100 // self.total_jobs)

    @property
    def has_ended(self) -> bool:
        """Whether the state is final: COMPLETED or CANCELLED."""
        return self.state is not BatchState.PROCESSING

    @property
    def exceeds_failure_limit(self) -> bool:
        """Whether more jobs failed than the limit allows; a percentage applies only to a final total."""
        limit = self.failure_limit
        return limit is not None and limit.is_exceeded(
            self.tally.failed, self.total_jobs, is_final=self.sealed
        )

    @property
    def version(self) -> Version:
        """What identifies this state of the batch."""
        return self.batch_key, self.revision, self.last_result_time

    @property
    def quiet_since(self) -> datetime:
        """The time of the last result; the creation if there is none yet."""
        return self.last_result_time or self.create_time

    @property
    def change_time(self) -> datetime:
        """The time of a change made now: read_time, but not before the last result.

        If the clock was set back since that result, its time counts for nothing: otherwise no time would pass
        until the clock has caught up with it.
        """
        if lies_ahead(self.quiet_since, self.read_time):
            return self.read_time
        return max(self.read_time, self.quiet_since)

    def with_jobs_added(self, additional_jobs: int) -> "Batch":
        """Return the batch with a higher total.

        Raises:
            BatchCancelled: the batch is cancelled.
            BatchSealed: the batch is sealed.
            TotalTooLarge: the total would exceed TOTAL_JOBS_MAX.

        """
        if self.state is BatchState.CANCELLED:
            raise BatchCancelled(self.batch_id)
        if self.sealed:
            raise BatchSealed(self.batch_id)
        if self.announced_jobs + additional_jobs > TOTAL_JOBS_MAX:
            raise TotalTooLarge(self.batch_id, TOTAL_JOBS_MAX)
        total_jobs = self.announced_jobs + additional_jobs
        return replace(self, announced_jobs=total_jobs, revision=self.revision + 1).with_end()

    def with_seal(self) -> "Batch":
        """Return the batch with a final total, ended if that is due."""
        if self.sealed or self.has_ended:
            return self
        sealed = replace(self, sealed=True, announced_jobs=self.total_jobs, revision=self.revision + 1)
        return sealed.with_end()

    def with_cancellation(self) -> "Batch":
        """Return the batch as its owner has cancelled it; late results are still counted.

        Raises:
            BatchCompleted: the batch has completed.

        """
        if self.state is BatchState.CANCELLED:
            return self
        if self.state is BatchState.COMPLETED:
            raise BatchCompleted(self.batch_id)
        return replace(self.cancelled(CancelReason.REQUESTED), revision=self.revision + 1)

    def cancelled(self, reason: CancelReason) -> "Batch":
        """Return a batch that has not ended as cancelled, as part of another change: the revision stays."""
        return self._ended(BatchState.CANCELLED, reason)

    def with_end(self) -> "Batch":
        """Return the batch ended: cancelled if too many jobs failed, else completed if none is pending.

        Every change of the tally, the total or the seal applies this rule, and no other ends a batch without
        being asked to. The revision stays: an end is always part of another change.
        """
        if self.has_ended:
            return self
        if self.exceeds_failure_limit:
            return self.cancelled(CancelReason.FAILURE_LIMIT)
        if not self.sealed or self.pending_jobs > 0:
            return self
        return self._ended(BatchState.COMPLETED)

    def _ended(self, state: BatchState, cancel_reason: CancelReason | None = None) -> "Batch":
        """Every end of a batch is made here."""
        return replace(
            self, state=state, cancel_reason=cancel_reason, complete_time=self.change_time, ends_now=True
        )
