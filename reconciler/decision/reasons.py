"""Sentences for people: why a batch was repaired or left. Pure."""

from collections.abc import Iterable

from batches.batch import Batch, Tally
from batches.result import JobOutcome
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts

_PLURALS = {"": "", "is": "are", "has": "have"}


def one_sentence(parts: Iterable[str]) -> str:
    """Return the parts that say something, as one sentence."""
    return "; ".join(part for part in parts if part)


def number_of(number: int, noun: str, verb: str = "") -> str:
    """Return 1 job is, 1,037 jobs are."""
    if number == 1:
        return f"1 {noun} {verb}".rstrip()
    nouns = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {nouns} {_PLURALS[verb]}".rstrip()


def still_pending(counts: QueueCounts) -> str:
    """Say that the queue has jobs to run."""
    if counts.cancelled:
        return f"cancelled in the queue, {number_of(counts.pending, 'job')} still pending there"
    return f"{number_of(counts.pending, 'job', 'is')} still pending in the queue"


def never_reported(missing: int, total: int, source: str) -> str:
    """Say how many results come from the queue."""
    if not missing:
        return ""
    verb = "was" if missing == 1 else "were"
    return (
        f"{missing:,} of {number_of(total, 'result')} {verb} never reported; taken from the queue's {source}"
    )


def in_portions(listing: Listing) -> str:
    """Say that a repair takes only a part of what is missing."""
    return f"{len(listing.missing):,} of them now" if listing.left_out else ""


def later_attempts(listing: Listing) -> str:
    """Say that the queue knows later attempts than were reported."""
    if not listing.superseding:
        return ""
    return f"{number_of(listing.superseding, 'job', 'has')} a later attempt in the queue"


def conflicts(listing: Listing) -> str:
    """Say that what was reported and what the queue lists differ."""
    if not listing.conflicting:
        return ""
    return (
        f"{number_of(listing.conflicting, 'result')} reported otherwise than the queue lists stay as reported"
    )


def surplus(batch: Batch, counts: QueueCounts) -> str:
    """Say where more was reported than the queue counts."""
    return one_sentence(
        f"the queue counts {counts.tally.of(outcome):,} {outcome.name.lower()},"
        f" {batch.tally.of(outcome):,} were reported"
        for outcome in JobOutcome
        if batch.tally.of(outcome) > counts.tally.of(outcome)
    )


def other_total(batch: Batch, counts: QueueCounts) -> str:
    """Say that the queue has another number of jobs than the batch was announced with."""
    if counts.total == batch.announced_jobs:
        return ""
    return f"the queue has {number_of(counts.total, 'job')}, {batch.announced_jobs:,} were announced"


def never_sealed(batch: Batch) -> str:
    """Say that only the end was missing."""
    return "" if batch.sealed else "the batch was never sealed, but the queue is finished with it"


def never_ran(number: int) -> str:
    """Say what became of the jobs that a cancellation kept from running."""
    if not number:
        return "cancelled in the queue"
    return f"cancelled in the queue, {number_of(number, 'job')} without any result never ran"


def tally_text(tally: Tally, pending: int) -> str:
    """Return 1,030 succeeded, 7 failed, 0 skipped, 0 pending."""
    ended = f"{tally.succeeded:,} succeeded, {tally.failed:,} failed, {tally.skipped:,} skipped"
    return f"{ended}, {pending:,} pending"
