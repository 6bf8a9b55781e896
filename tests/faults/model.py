"""A minimal model of a batch, with which the real server is compared."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from batches.batch import BatchState
from batches.new_batch import IfEnded
from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb

Limit = tuple[str, int] | None
"""The kind of a failure limit, "jobs" or "percent", and its number."""
Created = tuple[int, bool, Limit]
"""The total, the seal and the limit with which a batch was created."""


@dataclass(slots=True)
class Model:
    """A batch: the announced number of jobs, and a set of results."""

    announced: int
    sealed: bool
    created: Created
    request: int = 0
    """The number of the request that created it."""
    cancel_reason: str = ""
    completed: bool = False
    revision: int = 1
    rows: dict[int, tuple[int, JobOutcome, bool]] = field(default_factory=dict)
    """Attempt, outcome, and whether the reconciler recorded it, by job."""
    counted: Counter[JobOutcome] = field(default_factory=Counter)
    """Results without a job: the queue only counted them."""
    additions: dict[int, int] = field(default_factory=dict)

    @property
    def tally(self) -> Counter[JobOutcome]:
        """The number of results by outcome."""
        return self.counted + Counter(outcome for _, outcome, _ in self.rows.values())

    @property
    def total(self) -> int:
        """The number of jobs."""
        return max(self.announced, self.tally.total())

    @property
    def cancelled(self) -> bool:
        """Whether the batch is cancelled."""
        return bool(self.cancel_reason)

    @property
    def fails(self) -> bool:
        """Whether more jobs failed than the limit allows."""
        kind, number = self.created[2] or ("", 0)
        failed = self.tally[JobOutcome.FAILED]
        if kind == "percent":
            return self.sealed and failed / max(self.total, 1) > number / 100
        return kind == "jobs" and failed > number

    def create_again(self, created: Created, request: int, if_ended: IfEnded) -> str:
        """Return REPLACED, the reason of the refusal, or nothing if the batch is returned."""
        if (self.cancelled or self.completed) and request != self.request and if_ended:
            return "REPLACED" if if_ended is IfEnded.REPLACE else "BATCH_ENDED"
        return "" if created == self.created else "BATCH_CONFLICT"

    def changed(self) -> None:
        """Finish a change."""
        self.revision += 1
        self.settle()

    def settle(self) -> None:
        """Cancel a batch with too many failures, or complete a sealed one without pending jobs."""
        if self.fails and not self.cancelled and not self.completed:
            self.cancel_reason = "FAILURE_LIMIT"
        self.completed |= self.sealed and not self.cancelled and self.tally.total() == self.total

    def report(self, job: int, attempt: int, outcome: JobOutcome, *, repair: bool = False) -> str:
        """Record a result; return its disposition, or the reason of the refusal."""
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
        """Return the outcome of the counted result that this one replaces."""
        order = (outcome, JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, JobOutcome.FAILED)
        return next(one for one in order if self.counted[one])

    def shown(self) -> dict[str, Any]:
        """Return the fields that GetBatch must return."""
        tally, total = self.tally, self.total
        is_whole = self.sealed and tally.total() == total
        state = BatchState.COMPLETED if self.completed else BatchState.PROCESSING
        return {
            "state": BatchState.CANCELLED if self.cancelled else state,
            "cancel_reason": pb.CancelReason.Value(f"CANCEL_REASON_{self.cancel_reason or 'UNSPECIFIED'}"),
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
