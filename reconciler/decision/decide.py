"""Decides what to do about a batch from what the queue says about it. Pure: tested by tables.

The queue's counts decide, never its flag `finished`: a queue may call a batch finished as soon as
it is cancelled, while its jobs still run. Reported results are kept; the queue only adds results
that nobody reported. Its total wins once all its jobs have ended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from batches.batch import Batch, Tally
from batches.repair import RepairPlan
from batches.result import JobOutcome
from reconciler.decision import contradictions
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind, Reasons
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts

_FILL_ORDER = (JobOutcome.FAILED, JobOutcome.SKIPPED, JobOutcome.SUCCEEDED)
"""Which of the queue's counts are used first if they exceed the missing results: a failure must never be
hidden, and a job that was reported as skipped is most likely counted as succeeded."""


@dataclass(frozen=True, slots=True)
class PlannedRepair:
    """The decision to repair a batch."""

    plan: RepairPlan
    """Its `reason` is empty until the reasons below are put into words."""
    reasons: Reasons
    unfinished: NotRepaired | None = None
    """Why the batch stays open after the repair; None if it ends or if this is a portion."""


Decision = NotRepaired | PlannedRepair


def already_ended(batch: Batch) -> NotRepaired:
    """Return the decision about a batch that has ended, whatever the queue says."""
    return NotRepaired.because(NotRepairedReason.ENDED, ReasonKind.ENDED, batch.state)


def over_failure_limit(batch: Batch) -> PlannedRepair | None:
    """Return the repair that cancels a batch with too many failures, whatever the queue says.

    Servers before schema 0009 record failures and do not know the limit.
    """
    if batch.has_ended or not batch.exceeds_failure_limit:
        return None
    reason = Reason(ReasonKind.FAILURE_LIMIT, (batch.tally.failed,))
    return PlannedRepair(RepairPlan(batch.batch_id, batch.revision), (reason,))


def ruled_out_by_counts(batch: Batch, counts: QueueCounts) -> NotRepaired | None:
    """Return why the batch is not repaired, whatever a list of its jobs says; None if the list matters."""
    if batch.has_ended:
        return already_ended(batch)
    contradiction = contradictions.in_counts(counts)
    if contradiction is not None:
        return NotRepaired(NotRepairedReason.CONTRADICTION, (contradiction,))
    # The queue may not have been filled yet. No job will come for a sealed batch that was cancelled there; an
    # unsealed one stays open in any case, so that every later report is recorded.
    if counts.total == 0 and not (batch.sealed and counts.cancelled):
        return NotRepaired.because(NotRepairedReason.NO_JOBS, ReasonKind.NO_JOBS)
    return None


def decide(batch: Batch, counts: QueueCounts, listing: Listing | None) -> Decision:
    """Return what to do about a batch.

    Args:
        batch: The batch as it was read.
        counts: The queue's counts of its jobs.
        listing: What the queue's list of its jobs says; None if the queue keeps only counts.

    """
    ruled_out = ruled_out_by_counts(batch, counts)
    if ruled_out is not None:
        return ruled_out
    unfinished = _unfinished(batch, counts)
    if listing is None:
        return unfinished or _close_by_counts(batch, counts)
    unreadable = tuple(_unreadable(listing))
    contradiction = contradictions.in_listing(counts, listing) or _misfit(batch, counts, listing)
    if contradiction is not None:
        return NotRepaired(NotRepairedReason.CONTRADICTION, (contradiction, *unreadable))
    if unfinished is not None:
        unfinished = replace(unfinished, details=(*unfinished.details, *unreadable))
        return _record_only(batch, counts, listing, unfinished)
    if listing.left_out:
        return _record_portion(batch, counts, listing)
    return _close_by_listing(batch, counts, listing)


def _unfinished(batch: Batch, counts: QueueCounts) -> NotRepaired | None:
    """Return why the batch cannot end yet; None if it can."""
    if counts.pending > 0:
        kind = ReasonKind.CANCELLED_STILL_PENDING if counts.cancelled else ReasonKind.STILL_PENDING
        return NotRepaired.because(NotRepairedReason.STILL_PENDING, kind, counts.pending)
    if not (batch.sealed or counts.finished or counts.cancelled):
        return NotRepaired.because(NotRepairedReason.MAY_ADD_JOBS, ReasonKind.MAY_ADD_JOBS)
    return None


def _final_total(batch: Batch, counts: QueueCounts) -> int:
    """Return the total the batch ends with; a cancelled queue may have dropped jobs that never ran."""
    return max(batch.total_jobs, counts.total) if counts.cancelled else counts.total


def _results_after(batch: Batch, listing: Listing) -> int:
    """Return how many results the batch has once the list is recorded; rows replace counted results first."""
    return batch.tally.ended + max(0, listing.new - batch.unattributed.ended)


def _misfit(batch: Batch, counts: QueueCounts, listing: Listing) -> Reason | None:
    """Return why the list and the recorded results cannot both be true."""
    results = _results_after(batch, listing)
    if counts.pending == 0:
        total = _final_total(batch, counts)
        return contradictions.in_results(results, total, may_lack=counts.cancelled)
    total = max(batch.announced_jobs, counts.total) if batch.sealed else results
    return contradictions.in_results(results, total, may_lack=True)


def _record_only(batch: Batch, counts: QueueCounts, listing: Listing, unfinished: NotRepaired) -> Decision:
    """Record the listed results that are not recorded yet; the batch stays open."""
    if not listing.missing:
        return unfinished
    fills = batch.sealed and _results_after(batch, listing) >= batch.announced_jobs
    if fills and counts.total > batch.announced_jobs:
        # The batch would complete without the queue's jobs that it does not know about.
        return NotRepaired(unfinished.reason, (*unfinished.details, *_other_total(batch, counts)))
    total = max(batch.total_jobs, counts.total)
    plan = RepairPlan(batch.batch_id, batch.revision, results=listing.missing)
    return PlannedRepair(plan, (*_from_list(listing, total), *unfinished.details), unfinished)


def _record_portion(batch: Batch, counts: QueueCounts, listing: Listing) -> PlannedRepair:
    """Record as much as one repair may, once all jobs of the queue have ended.

    The queue's total is set first, so that the portion has room. A portion without new results
    does not set it: the batch may be full already, and must not end before the last portion.
    """
    total = _final_total(batch, counts)
    plan = RepairPlan(
        batch.batch_id,
        batch.revision,
        results=listing.missing,
        closes=listing.new > 0,
        total_jobs=total,
    )
    return PlannedRepair(plan, tuple(_from_list(listing, total)))


def _close_by_listing(batch: Batch, counts: QueueCounts, listing: Listing) -> PlannedRepair:
    total = _final_total(batch, counts)
    never_ran = total - _results_after(batch, listing)
    plan = RepairPlan(
        batch.batch_id,
        batch.revision,
        results=listing.missing,
        closes=True,
        total_jobs=total,
        unattributed=Tally(skipped=never_ran),
        cancels=counts.cancelled,
    )
    reasons = (*_from_list(listing, total), *_ending(batch, counts, never_ran))
    return PlannedRepair(plan, reasons or (Reason(ReasonKind.ONLY_END_MISSING),))


def _close_by_counts(batch: Batch, counts: QueueCounts) -> Decision:
    total = _final_total(batch, counts)
    contradiction = contradictions.in_results(batch.tally.ended, total, may_lack=True)
    if contradiction is not None:
        return NotRepaired(NotRepairedReason.CONTRADICTION, (contradiction,))
    missing = total - batch.tally.ended
    counted = counted_results(batch.tally, counts.tally, missing)
    never_ran = missing - counted.ended
    plan = RepairPlan(
        batch.batch_id,
        batch.revision,
        closes=True,
        total_jobs=total,
        unattributed=counted + Tally(skipped=never_ran),
        cancels=counts.cancelled,
    )
    reasons = (*_from_counts(batch, counts, counted, total), *_ending(batch, counts, never_ran))
    return PlannedRepair(plan, reasons or (Reason(ReasonKind.ONLY_END_MISSING),))


def counted_results(reported: Tally, counted: Tally, missing: int) -> Tally:
    """Return the results to take from a queue's counts: those it has beyond the reported ones.

    Args:
        reported: The results that the batch has.
        counted: The queue's counts.
        missing: How many results to return at most. If more jobs were reported with one outcome
            than the queue counts, correspondingly fewer of the others are missing.

    """
    taken = dict.fromkeys(JobOutcome, 0)
    for outcome in _FILL_ORDER:
        room = missing - sum(taken.values())
        taken[outcome] = min(room, max(0, counted.of(outcome) - reported.of(outcome)))
    return Tally(*(taken[outcome] for outcome in JobOutcome))


def _from_list(listing: Listing, total: int) -> Iterator[Reason]:
    if listing.new:
        yield Reason(ReasonKind.MISSING_LISTED, (listing.new, total))
    if listing.superseding:
        yield Reason(ReasonKind.LATER_ATTEMPTS, (listing.superseding,))
    if listing.left_out:
        yield Reason(ReasonKind.PORTION, (len(listing.missing),))
    if listing.conflicting:
        yield Reason(ReasonKind.CONFLICTS, (listing.conflicting,))


def _unreadable(listing: Listing) -> Iterator[Reason]:
    if listing.unreadable:
        yield Reason(ReasonKind.UNREADABLE, (listing.unreadable, listing.problem))


def _from_counts(batch: Batch, counts: QueueCounts, counted: Tally, total: int) -> Iterator[Reason]:
    if counted.ended:
        yield Reason(ReasonKind.MISSING_COUNTED, (counted.ended, total))
    for outcome in JobOutcome:
        in_queue, reported = counts.tally.of(outcome), batch.tally.of(outcome)
        if reported > in_queue:
            yield Reason(ReasonKind.SURPLUS, (outcome, in_queue, reported))


def _ending(batch: Batch, counts: QueueCounts, never_ran: int) -> Iterable[Reason]:
    if counts.cancelled:
        yield Reason(ReasonKind.CANCELLED, (never_ran,))
    elif not batch.sealed:
        yield Reason(ReasonKind.NEVER_SEALED)
    yield from _other_total(batch, counts)


def _other_total(batch: Batch, counts: QueueCounts) -> Iterator[Reason]:
    if counts.total != batch.announced_jobs:
        yield Reason(ReasonKind.OTHER_TOTAL, (counts.total, batch.announced_jobs))
