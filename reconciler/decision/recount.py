"""What to do with an ended batch whose queue counts its jobs differently now. Pure.

A person may retry failed jobs after the end of their batch. If a worker reports the retry, its result
replaces what is recorded. If nobody does, the results that were taken from the queue's counts follow it.
"""

from batches.batch import Batch
from batches.repair import RepairPlan
from reconciler.decision import contradictions
from reconciler.decision.decide import Decision, PlannedRepair, already_ended, counted_results
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.queue.port import QueueCounts


def recount(batch: Batch, counts: QueueCounts) -> Decision:
    """Return what to do about a batch that has ended and has results without rows.

    Its state, its total and its rows stay; counts of other jobs or of unfinished ones are not used.
    """
    misfit = _misfit(batch, counts)
    if misfit is not None:
        return NotRepaired(NotRepairedReason.ENDED, (*already_ended(batch).details, misfit))
    rows = batch.tally - batch.unattributed
    unattributed = counted_results(rows, counts.tally, batch.unattributed.ended)
    if unattributed == batch.unattributed:
        return already_ended(batch)
    plan = RepairPlan(batch.batch_id, batch.revision, unattributed=unattributed, recounts=True)
    counted = (counts.succeeded, counts.failed, counts.skipped)
    return PlannedRepair(plan, (Reason(ReasonKind.RECOUNTED, counted),))


def _misfit(batch: Batch, counts: QueueCounts) -> Reason | None:
    """Return why the counts are not those of all jobs of the batch."""
    contradiction = contradictions.in_counts(counts)
    if contradiction is not None:
        return contradiction
    if counts.pending > 0:
        return Reason(ReasonKind.STILL_PENDING, (counts.pending,))
    if counts.total != batch.total_jobs:
        return Reason(ReasonKind.OTHER_TOTAL, (counts.total, batch.total_jobs))
    return None
