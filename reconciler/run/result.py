"""What a pass did: batch by batch while it runs, and in numbers at its end."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batches.batch import Batch, BatchState
from batches.look import QueuePending
from batches.passes import PassNumbers
from batches.repair import RepairPlan
from batches.result import JobOutcome
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import Reasons
from reconciler.run.deadline import FAILURES
from reconciler.run.places import Place
from reconciler.run.progress import PassProgress

LISTED_MAX = 1_000
"""Batches of each group that a report names: more than a person reads, few enough to keep in memory."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a pass did about one batch."""

    before: Batch
    after: Batch
    repairs: tuple[Reasons, ...] = ()
    """The reasons of each repair; several if one transaction could not record everything."""
    recorded: int = 0
    """Results that have rows."""
    counted: int = 0
    """Results that are only counted."""
    not_repaired: NotRepaired | None = None
    """Why nothing (more) was done; None if everything that the queue knows was recorded."""
    unfinished: NotRepaired | None = None
    """Why the batch stays open although it was repaired."""
    pending: QueuePending | None = None
    """The pending jobs in the queue; None if it did not tell them."""


OnResult = Callable[[BatchResult], Awaitable[None]]
"""Receives the result of each batch. Its worker waits for it, but not long after the pass has stopped."""
Word = Callable[[Reasons], str]
"""Puts reasons into words."""


async def ignore(_result: BatchResult) -> None:
    """Do nothing with a result."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a pass needs from the output while it runs."""

    on_result: OnResult
    word: Word
    progress: PassProgress = field(default_factory=PassProgress)


class BatchInProgress:
    """A batch while it is being checked.

    Args:
        batch: The batch as it was read.
        place: Its place among the batches about which the queue is asked; None: there is no other batch.

    """

    def __init__(self, batch: Batch, place: Place | None = None) -> None:
        self.before = self.current = batch
        self.place = place or Place(asyncio.Semaphore())
        self._repairs: list[Reasons] = []
        self._recorded = self._counted = 0
        self.unfinished: NotRepaired | None = None
        """Why the batch stays open although it was repaired."""
        self.pending: QueuePending | None = None
        """The pending jobs in the queue; None if it did not tell them."""

    def refresh(self, batch: Batch) -> None:
        """Replace the batch by one that others have changed."""
        self.current = batch
        if not self._repairs:
            self.before = batch

    def note_pending(self, pending: QueuePending) -> None:
        """Note which jobs are pending in the queue."""
        self.pending = pending

    def add_repair(
        self, plan: RepairPlan, reasons: Reasons, after: Batch, unfinished: NotRepaired | None = None
    ) -> None:
        """Note a plan that was carried out, and why the batch stays open."""
        self._repairs.append(reasons)
        self._recorded += len(plan.results)
        self._counted += _newly_counted(plan, self.current)
        self.current, self.unfinished = after, unfinished

    def result(self, not_repaired: NotRepaired | None) -> BatchResult:
        """Return what was done about the batch."""
        return BatchResult(
            self.before,
            self.current,
            tuple(self._repairs),
            self._recorded,
            self._counted,
            not_repaired,
            self.unfinished,
            self.pending,
        )


def _newly_counted(plan: RepairPlan, before: Batch) -> int:
    if not plan.recounts:
        return plan.unattributed.ended
    changes = plan.unattributed - before.unattributed
    return sum(max(0, changes.of(outcome)) for outcome in JobOutcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A pass in numbers; printed as JSON in its last line, so the field names are public."""

    dry_run: bool = False
    """Nothing was written; the numbers are what would have been done."""
    lease_held_elsewhere: bool = False
    """Another pass is running; this one did nothing."""
    looked_at: int = 0
    """Batches that were checked."""
    repaired: int = 0
    completed: int = 0
    cancelled: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    """Batches that were not repaired, by NotRepairedReason; includes errors."""
    unknown_to_queue: int = 0
    errors: int = 0
    needs_person: int = 0
    """Batches that will probably stay as they are until a person does something."""
    changed_meanwhile: int = 0
    not_looked_at: int = 0
    """Batches that a pass stopped early did not check: at most 10,000; 0 if they could not be counted."""
    results_recorded: int = 0
    results_counted: int = 0
    """Results taken from a queue's counts, which have no rows."""
    batches_deleted: int = 0
    clock_jump_seconds: float = 0.0
    """How far the database's clock has jumped ahead, by which the deletion of old batches is delayed."""
    seconds: float = 0.0
    cut_short: str = ""
    """Why the pass stopped early; empty if it did not."""

    @property
    def kept(self) -> PassNumbers:
        """The numbers that the database keeps of the pass."""
        return PassNumbers(
            batches_looked_at=self.looked_at,
            batches_repaired=self.repaired,
            batches_left=self.left,
            errors=self.errors,
            cut_short=self.cut_short,
        )

    @property
    def is_clean(self) -> bool:
        """Whether every batch was checked, without an error."""
        return not (self.errors or self.not_looked_at or self.cut_short)

    @property
    def has_failed(self) -> bool:
        """Whether the pass as a whole failed, so that a retry may do better."""
        return self.cut_short in FAILURES


class RunLog:
    """Collects what a pass does, as far as its report needs it."""

    def __init__(self) -> None:
        self.repaired: list[BatchResult] = []
        self.not_repaired: dict[NotRepairedReason, list[BatchResult]] = {}
        self.missing_batch_id = ""
        """The requested batch, if it does not exist."""
        self._not_repaired: Counter[NotRepairedReason] = Counter()
        self._numbers: Counter[str] = Counter()

    def add(self, result: BatchResult) -> None:
        """Add a batch that was checked."""
        self._numbers["looked_at"] += 1
        self._numbers["results_recorded"] += result.recorded
        self._numbers["results_counted"] += result.counted
        if result.repairs:
            self._add_repaired(result)
        if result.not_repaired is not None:
            self._add_not_repaired(result, result.not_repaired)

    def add_missing(self, batch_id: str) -> None:
        """Note that the requested batch does not exist."""
        self.missing_batch_id = batch_id
        self._not_repaired[NotRepairedReason.NO_SUCH_BATCH] += 1
        self._numbers["errors"] += 1

    def count(self, reason: NotRepairedReason) -> int:
        """Return how many batches were not repaired for this reason."""
        return self._not_repaired[reason]

    def summary(self, **of_pass: Any) -> RunSummary:
        """Return the numbers of all batches, together with those of the pass as a whole."""
        numbers: dict[str, Any] = {**self._numbers, **of_pass}
        return RunSummary(
            left={reason.value: number for reason, number in sorted(self._not_repaired.items())},
            unknown_to_queue=self.count(NotRepairedReason.UNKNOWN_TO_QUEUE),
            changed_meanwhile=self.count(NotRepairedReason.CHANGED_MEANWHILE),
            **numbers,
        )

    def _add_repaired(self, result: BatchResult) -> None:
        self._numbers["repaired"] += 1
        if not result.before.has_ended:
            self._numbers["completed"] += result.after.state is BatchState.COMPLETED
            self._numbers["cancelled"] += result.after.state is BatchState.CANCELLED
        if len(self.repaired) < LISTED_MAX:
            self.repaired.append(result)

    def _add_not_repaired(self, result: BatchResult, not_repaired: NotRepaired) -> None:
        self._not_repaired[not_repaired.reason] += 1
        self._numbers["errors"] += not_repaired.is_error
        self._numbers["needs_person"] += not_repaired.needs_person
        listed = self.not_repaired.setdefault(not_repaired.reason, [])
        if len(listed) < LISTED_MAX:
            listed.append(result)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a pass did: its numbers, and the batches that a report names."""

    summary: RunSummary
    log: RunLog
