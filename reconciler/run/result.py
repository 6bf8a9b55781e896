"""What one pass did: batch by batch while it runs, then as numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batches.batch import Batch, BatchState
from batches.repair import RepairPlan
from reconciler.decision.not_repaired import Leave, LeaveKind

LISTED_MAX = 1_000
"""Batches of each kind that a report names: more than a person reads, little enough to be held."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one batch."""

    before: Batch
    after: Batch
    reasons: tuple[str, ...] = ()
    """One for each repair; more than one if there was more to record than one transaction takes."""
    recorded: int = 0
    """Results with rows."""
    counted: int = 0
    """Results that are only counted."""
    left: Leave | None = None
    """Why nothing, or no more, was done; None if all that the queue knows was."""


class Draft:
    """One batch while it is looked at."""

    def __init__(self, batch: Batch) -> None:
        """Take the batch as it was listed."""
        self.before = self.current = batch
        self._reasons: list[str] = []
        self._recorded = self._counted = 0

    def refresh(self, batch: Batch) -> None:
        """Take the batch as others have changed it."""
        self.current = batch
        if not self._reasons:
            self.before = batch

    def repaired(self, plan: RepairPlan, after: Batch) -> None:
        """Note a plan that was carried out."""
        self.current = after
        self._reasons.append(plan.reason)
        self._recorded += len(plan.results)
        self._counted += plan.unattributed.ended

    def looked(self, left: Leave | None) -> Looked:
        """Return what became of the batch."""
        return Looked(self.before, self.current, tuple(self._reasons), self._recorded, self._counted, left)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """A pass in numbers: the last line it prints, as JSON."""

    dry_run: bool = False
    """Nothing was written: the numbers are what would have been done."""
    lease_held_elsewhere: bool = False
    """Another pass runs: this one did nothing."""
    looked_at: int = 0
    repaired: int = 0
    completed: int = 0
    cancelled: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    """How many were left, by LeaveKind, errors included."""
    unknown_to_queue: int = 0
    errors: int = 0
    changed_meanwhile: int = 0
    not_looked_at: int = 0
    """Batches that a pass cut short did not come to; 10,000 at most, 0 if they could not be counted."""
    results_recorded: int = 0
    results_counted: int = 0
    """Results taken from a queue's counts, which have no rows."""
    batches_deleted: int = 0
    seconds: float = 0.0
    cut_short: str = ""
    """Why the pass did not come to its end; empty if it did."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left that another try could help."""
        return not (self.errors or self.not_looked_at or self.cut_short)


class Record:
    """Collects what a pass does, as much as its report needs."""

    def __init__(self) -> None:
        """Start with nothing done."""
        self.repaired: list[Looked] = []
        self.left: dict[LeaveKind, list[Looked]] = {}
        self._left: Counter[LeaveKind] = Counter()
        self._numbers: Counter[str] = Counter()

    def add(self, looked: Looked) -> None:
        """Note a batch that was looked at."""
        self._numbers["looked_at"] += 1
        self._numbers["results_recorded"] += looked.recorded
        self._numbers["results_counted"] += looked.counted
        if looked.reasons:
            self._add_repaired(looked)
        if looked.left is not None:
            self._add_left(looked, looked.left)

    def count(self, kind: LeaveKind) -> int:
        """Return how many batches were left so."""
        return self._left[kind]

    def add_missing(self) -> None:
        """Note that the one batch asked for does not exist."""
        self._left[LeaveKind.NO_SUCH_BATCH] += 1
        self._numbers["errors"] += 1

    def result(self) -> PassResult:
        """Return the numbers; those of the pass as a whole are for the caller to add."""
        numbers: dict[str, Any] = dict(self._numbers)
        return PassResult(
            **numbers,
            left={kind.value: number for kind, number in sorted(self._left.items())},
            unknown_to_queue=self._left[LeaveKind.UNKNOWN_TO_QUEUE],
            changed_meanwhile=self._left[LeaveKind.CHANGED_MEANWHILE],
        )

    def _add_repaired(self, looked: Looked) -> None:
        self._numbers["repaired"] += 1
        self._numbers["completed"] += looked.after.state is BatchState.COMPLETED
        self._numbers["cancelled"] += looked.after.state is BatchState.CANCELLED
        if len(self.repaired) < LISTED_MAX:
            self.repaired.append(looked)

    def _add_left(self, looked: Looked, left: Leave) -> None:
        self._left[left.kind] += 1
        self._numbers["errors"] += left.is_error
        listed = self.left.setdefault(left.kind, [])
        if len(listed) < LISTED_MAX:
            listed.append(looked)
