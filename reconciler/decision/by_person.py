"""What a person is told about a batch that stays as it is, and how a person ends it. Pure."""

from dataclasses import replace
from datetime import datetime

from batches.batch import Batch, Tally
from batches.look import LastLook, QueuePending
from batches.repair import RepairPlan
from batches.result import JobOutcome
from reconciler.decision.decide import PlannedRepair
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind

_MAY_LAST = frozenset(
    {
        NotRepairedReason.STILL_PENDING,
        NotRepairedReason.MAY_ADD_JOBS,
        NotRepairedReason.NO_JOBS,
        NotRepairedReason.UNKNOWN_TO_QUEUE,
        NotRepairedReason.TIMED_OUT,
        NotRepairedReason.QUEUE_FAULT,
    }
)
"""Reasons that are gone after a while, or stay for good if the queue has lost what the batch waits for."""


def end_by_person(batch: Batch, outcome: JobOutcome, left: NotRepaired | None) -> PlannedRepair:
    """Return the repair that ends a batch by the order of a person.

    Args:
        batch: The batch, with everything that the queue knows about it.
        outcome: How the jobs without a result count.
        left: Why the reconciler left the batch open.

    """
    jobs = batch.pending_jobs
    details = () if left is None else left.details
    plan = RepairPlan(
        batch.batch_id,
        batch.revision,
        closes=True,
        total_jobs=batch.total_jobs,
        unattributed=Tally(*(jobs if one is outcome else 0 for one in JobOutcome)),
        cancels=any(one.kind is ReasonKind.CANCELLED_STILL_PENDING for one in details),
    )
    return PlannedRepair(plan, (Reason(ReasonKind.ENDED_BY_PERSON, (outcome, jobs)), *details))


def with_advice(
    left: NotRepaired, batch: Batch, pending: QueuePending | None, look: LastLook | None, after_seconds: float
) -> NotRepaired:
    """Add since when nothing has changed, and what a person can do about it.

    Args:
        left: Why the batch was left.
        batch: The batch.
        pending: What the queue said now about its pending jobs; None if it said nothing.
        look: The newest stored look at the batch.
        after_seconds: How long a batch may stay unchanged before a person is needed.

    """
    if left.reason is NotRepairedReason.CONTRADICTION:
        return replace(left, advice=(Reason(ReasonKind.END_BY_HAND),))
    if left.reason not in _MAY_LAST:
        return left
    kind, since = _unchanged(batch, pending, look)
    seconds = int((batch.read_time - since).total_seconds())
    if seconds < after_seconds:
        return left
    counts_only = pending is not None and not pending.lists_jobs
    advice = (
        Reason(kind, (seconds,)),
        *((Reason(ReasonKind.ONLY_COUNTS),) if counts_only else ()),
        Reason(ReasonKind.END_BY_HAND),
    )
    return replace(left, advice=advice)


def _unchanged(
    batch: Batch, pending: QueuePending | None, look: LastLook | None
) -> tuple[ReasonKind, datetime]:
    """Return what has not changed, and since when.

    The jobs of a queue may move although nobody reports them; only an earlier look knows whether they did.
    """
    now = batch.read_time
    if look is None or pending is None or look.unchanged_since is None or not look.is_newer_than(batch, now):
        return ReasonKind.NO_RESULT, batch.quiet_since
    is_unchanged = look.pending_jobs == pending.number
    return ReasonKind.UNCHANGED, look.unchanged_since if is_unchanged else now
