"""The batch, the queue and the list that most decisions are shown on."""

from collections.abc import Sequence
from dataclasses import replace

from batches.batch import Tally
from batches.result import JobResult
from reconciler.decision.decide import Decision, PlannedRepair
from reconciler.decision.not_repaired import NotRepaired
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts
from tests.support.samples import BATCH, results

EIGHT_REPORTED = replace(BATCH, tally=Tally(succeeded=7, failed=1), revision=9)
"""Two of its ten jobs were never reported."""
ALL_ENDED = QueueCounts(total=10, succeeded=8, failed=2, finished=True)
"""The queue of that batch: one of the two unreported jobs failed."""


def listing_of(counts: QueueCounts, missing: Sequence[JobResult] = (), **changed: object) -> Listing:
    """Return a list that agrees with the counts."""
    listing = Listing(
        tally=counts.tally,
        pending=counts.pending,
        new=len(missing),
        missing=tuple(missing),
        new_in_missing=len(missing),
    )
    return replace(listing, **changed)  # type: ignore[arg-type]


TWO_MISSING = listing_of(ALL_ENDED, results(2, first=8))


def because(kind: ReasonKind, *values: int | str) -> Reason:
    """Return a reason."""
    return Reason(kind, values)


def left(decision: Decision) -> NotRepaired:
    """Return a decision that must be not to repair."""
    assert isinstance(decision, NotRepaired)
    return decision


def planned(decision: Decision) -> PlannedRepair:
    """Return a decision that must be to repair."""
    assert isinstance(decision, PlannedRepair)
    return decision
