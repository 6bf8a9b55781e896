"""What a batch is, in as few lines as can be read at a glance: what the real thing is compared with."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from batches.batch import BatchState
from batches.result import JobOutcome


@dataclass(slots=True)
class Model:
    """What a batch is: a set of results, each of one job, and what was announced."""

    announced: int
    sealed: bool
    created: tuple[int, bool]
    cancelled: bool = False
    completed: bool = False
    revision: int = 1
    rows: dict[int, tuple[int, JobOutcome, bool]] = field(default_factory=dict)
    """By job: attempt, outcome, and whether the reconciler brought it."""
    counted: Counter[JobOutcome] = field(default_factory=Counter)
    """Results of jobs that nobody named: the queue only counted them."""
    additions: dict[int, int] = field(default_factory=dict)

    @property
    def tally(self) -> Counter[JobOutcome]:
        """How many jobs ended in each way."""
        return self.counted + Counter(outcome for _, outcome, _ in self.rows.values())

    @property
    def total(self) -> int:
        """How many jobs there are."""
        return max(self.announced, self.tally.total())

    def changed(self) -> None:
        """End a change."""
        self.revision += 1
        self.settle()

    def settle(self) -> None:
        """A sealed batch of which nothing is pending has completed, unless it was cancelled before."""
        self.completed |= self.sealed and not self.cancelled and self.tally.total() == self.total

    def report(self, job: int, attempt: int, outcome: JobOutcome, *, repair: bool = False) -> str:
        """Take a result; return its disposition, or the reason why it is refused."""
        known = self.rows.get(job)
        if known is not None and attempt <= known[0]:
            if attempt < known[0]:
                return "STALE"
            return "DUPLICATE" if outcome == known[1] else "RESULT_CONFLICT"
        if known is None and self.counted:
            self.counted -= Counter([self._counted_one(outcome)])
        elif known is None and self.sealed and self.tally.total() >= self.announced:
            return "BATCH_FULL"
        self.rows[job] = (attempt, outcome, repair)
        return "RECORDED" if known is None else "SUPERSEDED_EARLIER"

    def _counted_one(self, outcome: JobOutcome) -> JobOutcome:
        """Return which of the counted results turns out to be this one."""
        order = (outcome, JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, JobOutcome.FAILED)
        return next(one for one in order if self.counted[one])

    def shown(self) -> dict[str, Any]:
        """Return what GetBatch must show."""
        tally, total = self.tally, self.total
        is_whole = self.sealed and tally.total() == total
        state = BatchState.COMPLETED if self.completed else BatchState.PROCESSING
        return {
            "state": BatchState.CANCELLED if self.cancelled else state,
            "sealed": self.sealed,
            "total_jobs": total,
            "succeeded_jobs": tally[JobOutcome.SUCCEEDED],
            "failed_jobs": tally[JobOutcome.FAILED],
            "skipped_jobs": tally[JobOutcome.SKIPPED],
            "pending_jobs": total - tally.total(),
            "percent_complete": 100 if is_whole else min(99, tally.total() * 100 // max(total, 1)),
            "revision": self.revision,
            "reconciled_jobs": self.counted.total() + sum(repair for _, _, repair in self.rows.values()),
        }
