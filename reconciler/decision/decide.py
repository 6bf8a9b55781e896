"""What to do about a batch, given what the queue says of it. Pure: tested by tables.

The queue's counts decide, never its word `finished`: a queue may call a batch finished the
moment it is cancelled, while its jobs still run. What a worker reported always stays; the
queue only adds what nobody reported, and its total wins once all its jobs ended.
"""

from batches.batch import Batch, Tally
from batches.repair import RepairPlan
from batches.result import JobOutcome
from reconciler.decision import contradictions, reasons
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.decision.reasons import one_sentence
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts

Decision = Leave | RepairPlan

_FILL_ORDER = (JobOutcome.FAILED, JobOutcome.SKIPPED, JobOutcome.SUCCEEDED)
"""Which counts of the queue are believed first if there are more of them than missing results: a failure
must never be hidden, and a job that was reported as skipped is most likely counted as succeeded."""


def ended(batch: Batch) -> Leave:
    """Return that the batch has ended, whatever the queue may say."""
    return Leave(LeaveKind.ENDED, f"it has ended already: {batch.state.name}")


def settled_by_counts(batch: Batch, counts: QueueCounts) -> Leave | None:
    """Return why the batch is left whatever a list of its jobs may say; None if that must be seen."""
    if batch.has_ended:
        return ended(batch)
    contradiction = contradictions.in_counts(counts)
    if contradiction:
        return Leave(LeaveKind.CONTRADICTION, contradiction)
    # A cancelled queue without jobs says that none will come; any other may not have been filled yet.
    if counts.total == 0 and batch.total_jobs > 0 and not counts.cancelled:
        return Leave(LeaveKind.NO_JOBS, "the queue has no jobs for it")
    return None


def decide(batch: Batch, counts: QueueCounts, listing: Listing | None) -> Decision:
    """Return what to do; `listing` is None where the queue keeps only counts."""
    settled = settled_by_counts(batch, counts)
    if settled is not None:
        return settled
    unfinished = _unfinished(batch, counts)
    if listing is None:
        return unfinished or _close_by_counts(batch, counts)
    contradiction = contradictions.in_listing(counts, listing) or _misfit(batch, counts, listing)
    if contradiction:
        return Leave(LeaveKind.CONTRADICTION, contradiction)
    if unfinished is not None:
        return _record_only(batch, counts, listing, unfinished)
    if listing.left_out:
        return _record_portion(batch, counts, listing)
    return _close_by_listing(batch, counts, listing)


def _unfinished(batch: Batch, counts: QueueCounts) -> Leave | None:
    """Return why the batch cannot end yet; None if it can."""
    if counts.pending > 0:
        return Leave(LeaveKind.STILL_PENDING, reasons.still_pending(counts))
    if not (batch.sealed or counts.finished or counts.cancelled):
        return Leave(LeaveKind.MAY_ADD_JOBS, "the queue may still add jobs")
    return None


def _final_total(batch: Batch, counts: QueueCounts) -> int:
    """Return the total the batch ends with; a cancelled queue may have dropped what never ran."""
    return max(batch.total_jobs, counts.total) if counts.cancelled else counts.total


def _ended_after(batch: Batch, listing: Listing) -> int:
    """Return how many jobs have a result once the list is recorded: counted results become rows first."""
    return batch.tally.ended + max(0, listing.new - batch.unattributed.ended)


def _misfit(batch: Batch, counts: QueueCounts, listing: Listing) -> str:
    """Return how the list and the recorded results cannot both be true."""
    ended_after = _ended_after(batch, listing)
    if counts.pending == 0:
        total = _final_total(batch, counts)
        return contradictions.in_results(batch, ended_after, total, may_lack=counts.cancelled)
    total = max(batch.announced_jobs, counts.total) if batch.sealed else ended_after
    return contradictions.in_results(batch, ended_after, total, may_lack=True)


def _record_only(batch: Batch, counts: QueueCounts, listing: Listing, unfinished: Leave) -> Decision:
    """Record what is listed and not recorded; the batch goes on."""
    if not listing.missing:
        return unfinished
    fills = batch.sealed and _ended_after(batch, listing) >= batch.announced_jobs
    if fills and counts.total > batch.announced_jobs:
        # It would complete without the jobs of the queue that it does not know of.
        reason = one_sentence((unfinished.reason, reasons.other_total(batch, counts)))
        return Leave(unfinished.kind, reason)
    total = max(batch.total_jobs, counts.total)
    parts = (*_taken_from_list(listing, total), unfinished.reason)
    return RepairPlan(batch.batch_id, batch.revision, one_sentence(parts), listing.missing)


def _record_portion(batch: Batch, counts: QueueCounts, listing: Listing) -> RepairPlan:
    """Record as much as one repair takes, when all jobs of the queue ended.

    The queue's total is set before, so that the portion has room. If nothing new is
    missing the batch may be full already, and its end must wait for the last portion.
    """
    total = _final_total(batch, counts)
    return RepairPlan(
        batch.batch_id,
        batch.revision,
        one_sentence(_taken_from_list(listing, total)),
        listing.missing,
        closes=listing.new > 0,
        total_jobs=total,
    )


def _close_by_listing(batch: Batch, counts: QueueCounts, listing: Listing) -> RepairPlan:
    total = _final_total(batch, counts)
    never_ran = total - _ended_after(batch, listing)
    parts = (*_taken_from_list(listing, total), *_ending(batch, counts, never_ran))
    return RepairPlan(
        batch.batch_id,
        batch.revision,
        one_sentence(parts) or "every job has a result, only the end was missing",
        listing.missing,
        closes=True,
        total_jobs=total,
        unattributed=Tally(skipped=never_ran),
        cancels=counts.cancelled,
    )


def _close_by_counts(batch: Batch, counts: QueueCounts) -> Decision:
    total = _final_total(batch, counts)
    contradiction = contradictions.in_results(batch, batch.tally.ended, total, may_lack=True)
    if contradiction:
        return Leave(LeaveKind.CONTRADICTION, contradiction)
    missing = total - batch.tally.ended
    counted = counted_results(batch.tally, counts.tally, missing)
    never_ran = missing - counted.ended
    parts = (
        reasons.never_reported(counted.ended, total, "counts"),
        reasons.surplus(batch, counts),
        *_ending(batch, counts, never_ran),
    )
    return RepairPlan(
        batch.batch_id,
        batch.revision,
        one_sentence(parts) or "every job has a result, only the end was missing",
        closes=True,
        total_jobs=total,
        unattributed=counted + Tally(skipped=never_ran),
        cancels=counts.cancelled,
    )


def counted_results(reported: Tally, counted: Tally, missing: int) -> Tally:
    """Return the results to take from a queue's counts: what it has beyond the reported ones.

    At most `missing` of them, in _FILL_ORDER: where more was reported of one outcome than
    the queue counts, so much less of the others is missing.
    """
    taken = dict.fromkeys(JobOutcome, 0)
    for outcome in _FILL_ORDER:
        room = missing - sum(taken.values())
        taken[outcome] = min(room, max(0, counted.of(outcome) - reported.of(outcome)))
    return Tally(*(taken[outcome] for outcome in JobOutcome))


def _taken_from_list(listing: Listing, total: int) -> tuple[str, ...]:
    return (
        reasons.never_reported(listing.new, total, "list"),
        reasons.later_attempts(listing),
        reasons.in_portions(listing),
        reasons.conflicts(listing),
    )


def _ending(batch: Batch, counts: QueueCounts, never_ran: int) -> tuple[str, ...]:
    if counts.cancelled:
        return (reasons.never_ran(never_ran), reasons.other_total(batch, counts))
    return (reasons.never_sealed(batch), reasons.other_total(batch, counts))
