"""What cannot be true of a queue's answer: then nothing is written. Pure.

Each function returns a sentence for a person, empty if all is well.
"""

from batches.batch import TOTAL_JOBS_MAX, Batch
from reconciler.decision.reasons import number_of, tally_text
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts


def in_counts(counts: QueueCounts) -> str:
    """Look at the counts alone."""
    text = f"{tally_text(counts.tally, counts.pending)}, {counts.total:,} in total"
    numbers = (counts.total, counts.succeeded, counts.failed, counts.skipped, counts.pending)
    if min(numbers) < 0:
        return f"the queue counts less than nothing: {text}"
    if counts.tally.ended + counts.pending != counts.total:
        return f"the queue's counts do not add up: {text}"
    if counts.total > TOTAL_JOBS_MAX:
        return f"the queue counts more jobs than a batch may have: {text}"
    return ""


def in_listing(counts: QueueCounts, listing: Listing) -> str:
    """Look at the list beside the counts; they must agree once the queue's jobs no longer move."""
    if listing.listed_twice:
        return "the queue lists a job twice"
    if listing.jobs > counts.total:
        return f"the queue lists more jobs than the {counts.total:,} that it counts"
    moves = counts.pending > 0
    if not moves and (listing.ended, listing.pending) != (counts.tally, counts.pending):
        return (
            f"the queue lists {tally_text(listing.ended, listing.pending)},"
            f" but counts {tally_text(counts.tally, counts.pending)}"
        )
    return ""


def in_results(batch: Batch, ended_after: int, total: int, *, may_lack: bool) -> str:
    """Look at how many results a batch would have, beside its jobs; `may_lack`: some may be without."""
    if ended_after > total:
        return (
            f"{number_of(batch.tally.ended, 'result', 'is')} recorded,"
            f" some of jobs that are not among the {total:,} of the queue"
        )
    if ended_after < total and not may_lack:
        return f"only {number_of(ended_after, 'result')} would be recorded of {number_of(total, 'job')}"
    return ""
