"""What changes when the reconciler repairs a batch. Pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from batches.batch import NO_JOBS, Batch, BatchState, Tally
from batches.failure_limit import CancelReason
from batches.recording import Recording, StoredAttempts, record
from batches.result import JobResult, ResultSource


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What the reconciler decided to do with a batch."""

    batch_id: str
    revision: int
    """The revision that the decision is based on; a plan for an earlier revision is not carried out."""
    batch_key: int | None = field(default=None, kw_only=True)
    """The batch that the decision is about: another one may have taken its id since. None: any."""
    reason: str = ""
    """Kept with the repair, for people."""
    results: tuple[JobResult, ...] = ()
    """Results that the queue lists and that are not recorded yet."""
    closes: bool = False
    """Whether all jobs of the queue have ended, so that total_jobs is final."""
    total_jobs: int = 0
    """The queue's total; used only if the plan closes the batch."""
    unattributed: Tally = NO_JOBS
    """Results that the queue only counts; used only if the plan closes or recounts the batch."""
    cancels: bool = False
    """Whether the batch ends as CANCELLED; used only if the plan closes the batch."""
    recounts: bool = False
    """Whether the batch has ended, and `unattributed` replaces as many counted results."""


@dataclass(frozen=True, slots=True)
class Tallies:
    """The state and the counters of a batch at one moment."""

    state: BatchState
    total_jobs: int
    tally: Tally

    @property
    def pending_jobs(self) -> int:
        """The number of jobs that had no result."""
        return self.total_jobs - self.tally.ended


@dataclass(frozen=True, slots=True)
class Repair:
    """The stored record of a repair."""

    before: Tallies
    after: Tallies
    reason: str
    repair_time: datetime


def tallies_of(batch: Batch) -> Tallies:
    """Return the state and the counters of a batch."""
    return Tallies(batch.state, batch.total_jobs, batch.tally)


def repair(batch: Batch, stored: StoredAttempts, plan: RepairPlan) -> Recording:
    """Decide what a plan changes: its results are recorded like reports, then the batch is closed.

    Args:
        batch: The batch, locked, at the revision of the plan.
        stored: The recorded attempts of the plan's jobs, read after the batch was locked.
        plan: The decision.

    """
    if plan.recounts:
        after = _recounted(batch, plan.unattributed)
        return Recording([], {batch.batch_id: after}, [after] if after is not batch else [], [], [])
    opened = _with_final_total(batch, plan) if plan.closes else batch
    recording = record([opened], stored, plan.results, ResultSource.RECONCILER)
    after = recording.batches[batch.batch_id]
    if plan.closes:
        # Counted last: a result recorded above would otherwise replace one of these counts.
        after = _with_counted(after, plan.unattributed, revision=batch.revision + 1)
    elif not recording.changed:
        after = _with_overdue_end(batch)
    changed = [after] if after.revision > batch.revision else []
    return replace(recording, batches={batch.batch_id: after}, changed=changed)


def _with_final_total(batch: Batch, plan: RepairPlan) -> Batch:
    """Return the batch with the queue's total; cancelled before its last result could complete it."""
    final = replace(batch, sealed=True, announced_jobs=plan.total_jobs)
    return final.cancelled(CancelReason.QUEUE) if plan.cancels else final


def _with_overdue_end(batch: Batch) -> Batch:
    """Return the batch ended if an earlier change should have ended it: old servers ignore the limit."""
    ended = batch.with_end()
    return batch if ended is batch else replace(ended, revision=batch.revision + 1)


def _recounted(batch: Batch, unattributed: Tally) -> Batch:
    """Return an ended batch with other outcomes of its counted results; its state and its total stay."""
    if unattributed == batch.unattributed:
        return batch
    tally = batch.tally - batch.unattributed + unattributed
    return replace(batch, tally=tally, unattributed=unattributed, revision=batch.revision + 1)


def _with_counted(batch: Batch, counted: Tally, *, revision: int) -> Batch:
    after = replace(
        batch,
        tally=batch.tally + counted,
        unattributed=batch.unattributed + counted,
        reconciled_jobs=batch.reconciled_jobs + counted.ended,
        revision=revision,
    )
    return after.with_end()
