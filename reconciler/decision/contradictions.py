"""What cannot be true about a queue's answers; if anything is found, nothing is written. Pure."""

from batches.batch import TOTAL_JOBS_MAX
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts


def in_counts(counts: QueueCounts) -> Reason | None:
    """Return what is wrong with the counts by themselves."""
    numbers = (counts.succeeded, counts.failed, counts.skipped, counts.pending, counts.total)
    if min(numbers) < 0:
        return Reason(ReasonKind.NEGATIVE_COUNT, numbers)
    if counts.tally.ended + counts.pending != counts.total:
        return Reason(ReasonKind.WRONG_SUM, numbers)
    if counts.total > TOTAL_JOBS_MAX:
        return Reason(ReasonKind.TOO_MANY_JOBS, numbers)
    return None


def in_listing(counts: QueueCounts, listing: Listing) -> Reason | None:
    """Return how the list disagrees with itself, or with counts that no longer change."""
    if listing.has_duplicate:
        return Reason(ReasonKind.LISTED_TWICE)
    listed, counted = listing.tally, counts.tally
    if counts.pending == 0 and (listed, listing.pending) != (counted, 0):
        return Reason(
            ReasonKind.LIST_DIFFERS,
            (
                *(listed.succeeded, listed.failed, listed.skipped, listing.pending),
                *(counted.succeeded, counted.failed, counted.skipped, counts.pending),
            ),
        )
    return None


def in_results(results: int, total: int, *, may_lack: bool) -> Reason | None:
    """Return how the results that a batch would have disagree with its number of jobs.

    Args:
        results: How many jobs would have a result.
        total: How many jobs the batch would have.
        may_lack: Whether some jobs may stay without a result.

    """
    if results > total:
        return Reason(ReasonKind.TOO_MANY_RESULTS, (results, total))
    if results < total and not may_lack:
        return Reason(ReasonKind.TOO_FEW_RESULTS, (results, total))
    return None
