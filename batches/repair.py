"""What a repair changes in a batch that no worker will end. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from batches.batch import NO_JOBS, Batch, BatchState, Tally
from batches.recording import Recording, StoredAttempts, record
from batches.result import JobResult, ResultSource


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What the reconciler decided on a batch as it read it."""

    batch_id: str
    revision: int
    """The revision the decision was made on: a batch that has changed since is looked at again."""
    reason: str
    results: tuple[JobResult, ...] = ()
    """What the queue lists and we do not have."""
    closes: bool = False
    """Whether every job of the queue has ended, so that the total below is final."""
    total_jobs: int = 0
    """The queue's total; used only if the plan closes the batch."""
    unattributed: Tally = NO_JOBS
    """Results that are only counted."""
    cancels: bool = False
    """Whether the batch ends as CANCELLED; used only if the plan closes it."""


@dataclass(frozen=True, slots=True)
class Tallies:
    """The numbers of a batch at one moment."""

    state: BatchState
    total_jobs: int
    tally: Tally

    @property
    def pending_jobs(self) -> int:
        """How many jobs had no result."""
        return self.total_jobs - self.tally.ended


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair as it is kept."""

    before: Tallies
    after: Tallies
    reason: str
    repair_time: datetime


def tallies_of(batch: Batch) -> Tallies:
    """Return the numbers of a batch."""
    return Tallies(batch.state, batch.total_jobs, batch.tally)


def repair(batch: Batch, stored: StoredAttempts, plan: RepairPlan) -> Recording:
    """Return what the plan changes: the results through the same rules as reports, then the closing."""
    opened = _with_final_total(batch, plan) if plan.closes else batch
    recording = record([opened], stored, plan.results, ResultSource.RECONCILER)
    after = recording.batches[batch.batch_id]
    if plan.closes:
        # Counted only now: a result recorded above would have taken one of them for its own.
        after = _with_counted(after, plan.unattributed, revision=batch.revision + 1)
    changed = [after] if after.revision > batch.revision else []
    return replace(recording, batches={batch.batch_id: after}, changed=changed)


def _with_final_total(batch: Batch, plan: RepairPlan) -> Batch:
    """Return the batch with the queue's total; cancelled first, so that its last result completes nothing."""
    final = replace(batch, sealed=True, announced_jobs=plan.total_jobs)
    if plan.cancels:
        return replace(final, state=BatchState.CANCELLED, complete_time=batch.change_time)
    return final


def _with_counted(batch: Batch, counted: Tally, *, revision: int) -> Batch:
    after = replace(
        batch,
        tally=batch.tally + counted,
        unattributed=batch.unattributed + counted,
        reconciled_jobs=batch.reconciled_jobs + counted.ended,
        revision=revision,
    )
    return after.with_completion()
