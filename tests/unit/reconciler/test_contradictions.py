"""A queue whose answers cannot be true: an error, and nothing is written."""

from dataclasses import replace

import pytest

from batches.batch import TOTAL_JOBS_MAX, Tally
from reconciler.decision.decide import decide
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts
from tests.support.samples import results
from tests.unit.reconciler.decisions import ALL_ENDED, EIGHT_REPORTED, because, left, listing_of, planned

IMPOSSIBLE_COUNTS = {
    "a negative count": (QueueCounts(total=10, succeeded=12, failed=-2), ReasonKind.NEGATIVE_COUNT),
    "a negative pending": (QueueCounts(total=10, succeeded=12, pending=-2), ReasonKind.NEGATIVE_COUNT),
    "a negative total": (QueueCounts(total=-1, succeeded=-1), ReasonKind.NEGATIVE_COUNT),
    "less than the total": (
        QueueCounts(total=10, succeeded=8, failed=1, finished=True),
        ReasonKind.WRONG_SUM,
    ),
    "more than the total": (QueueCounts(total=10, succeeded=10, pending=1), ReasonKind.WRONG_SUM),
    "finished, but nothing ended": (QueueCounts(total=10, finished=True), ReasonKind.WRONG_SUM),
    "more jobs than a batch may have": (
        QueueCounts(total=TOTAL_JOBS_MAX + 1, succeeded=TOTAL_JOBS_MAX + 1),
        ReasonKind.TOO_MANY_JOBS,
    ),
}


@pytest.mark.parametrize(("counts", "kind"), IMPOSSIBLE_COUNTS.values(), ids=IMPOSSIBLE_COUNTS)
def test_counts_that_contradict_themselves_are_an_error(counts: QueueCounts, kind: ReasonKind) -> None:
    """The counts are kept with the reason."""
    numbers = (counts.succeeded, counts.failed, counts.skipped, counts.pending, counts.total)
    decision = left(decide(EIGHT_REPORTED, counts, None))
    assert decision.reason is NotRepairedReason.CONTRADICTION
    assert decision.details == (because(kind, *numbers),)
    assert decision.is_error


def test_a_batch_may_have_as_many_jobs_as_the_limit_says() -> None:
    """The limit itself is no contradiction."""
    counts = QueueCounts(total=TOTAL_JOBS_MAX, succeeded=TOTAL_JOBS_MAX)
    assert planned(decide(EIGHT_REPORTED, counts, None)).plan.total_jobs == TOTAL_JOBS_MAX


IMPOSSIBLE_LISTS = {
    "a job twice": (
        listing_of(ALL_ENDED, results(2, first=8), has_duplicate=True),
        because(ReasonKind.LISTED_TWICE),
    ),
    "one job too few": (
        listing_of(ALL_ENDED, results(1), tally=Tally(succeeded=7, failed=2)),
        because(ReasonKind.LIST_DIFFERS, *(7, 2, 0, 0), *(8, 2, 0, 0)),
    ),
    "one job too many": (
        listing_of(ALL_ENDED, results(3), tally=Tally(succeeded=9, failed=2)),
        because(ReasonKind.LIST_DIFFERS, *(9, 2, 0, 0), *(8, 2, 0, 0)),
    ),
    "another outcome than counted": (
        listing_of(ALL_ENDED, results(2), tally=Tally(succeeded=9, failed=1)),
        because(ReasonKind.LIST_DIFFERS, *(9, 1, 0, 0), *(8, 2, 0, 0)),
    ),
    "a pending job although none is counted": (
        listing_of(ALL_ENDED, results(1), tally=Tally(succeeded=8, failed=1), pending=1),
        because(ReasonKind.LIST_DIFFERS, *(8, 1, 0, 1), *(8, 2, 0, 0)),
    ),
    "other jobs than those reported": (
        listing_of(ALL_ENDED, results(3, first=7)),
        because(ReasonKind.TOO_MANY_RESULTS, 11, 10),
    ),
    "fewer missing results than there are": (
        listing_of(ALL_ENDED, results(1, first=9)),
        because(ReasonKind.TOO_FEW_RESULTS, 9, 10),
    ),
}


@pytest.mark.parametrize(("listing", "reason"), IMPOSSIBLE_LISTS.values(), ids=IMPOSSIBLE_LISTS)
def test_a_list_that_disagrees_with_counts_or_results_is_an_error(listing: Listing, reason: Reason) -> None:
    """The reason says where they disagree."""
    decision = left(decide(EIGHT_REPORTED, ALL_ENDED, listing))
    assert (decision.reason, decision.details) == (NotRepairedReason.CONTRADICTION, (reason,))


def test_more_results_than_jobs_are_an_error_while_a_job_is_pending() -> None:
    """A batch never gets more results than it and its queue have jobs."""
    counts = QueueCounts(total=9, succeeded=7, failed=1, pending=1)
    decision = left(decide(EIGHT_REPORTED, counts, listing_of(counts, results(3, first=8))))
    assert decision.reason is NotRepairedReason.CONTRADICTION


def test_more_reported_results_than_counted_jobs_are_an_error() -> None:
    """A queue that keeps only counts is held against the number of results."""
    decision = left(decide(EIGHT_REPORTED, QueueCounts(total=7, succeeded=7), None))
    assert decision.reason is NotRepairedReason.CONTRADICTION


def test_counts_that_still_move_are_not_compared_with_the_list() -> None:
    """While a job is pending, the list may be newer than the counts."""
    counts = QueueCounts(total=10, succeeded=8, failed=1, pending=1)
    newer = listing_of(replace(counts, failed=2, pending=0), results(2, first=8))
    assert planned(decide(EIGHT_REPORTED, counts, newer)).plan.results == tuple(results(2, first=8))
