"""What is decided about a batch whose queue lists its jobs, and when nothing is written."""

from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Tally
from batches.repair import RepairPlan
from reconciler.decision.decide import PlannedRepair, decide
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts
from tests.support.samples import BATCH, results
from tests.unit.reconciler.decisions import (
    ALL_ENDED,
    EIGHT_REPORTED,
    TWO_MISSING,
    because,
    left,
    listing_of,
    planned,
)

STILL_PENDING = QueueCounts(total=10, succeeded=8, failed=1, pending=1)
CANCELLED_STILL_PENDING = replace(STILL_PENDING, cancelled=True, finished=True)
NOT_FINISHED = replace(ALL_ENDED, finished=False)

NOT_REPAIRED = {
    "an ended batch": (
        replace(EIGHT_REPORTED, state=BatchState.CANCELLED),
        ALL_ENDED,
        NotRepairedReason.ENDED,
        because(ReasonKind.ENDED, BatchState.CANCELLED),
    ),
    "a queue without jobs": (
        EIGHT_REPORTED,
        QueueCounts(total=0, finished=True),
        NotRepairedReason.NO_JOBS,
        because(ReasonKind.NO_JOBS),
    ),
    "one job pending": (
        EIGHT_REPORTED,
        STILL_PENDING,
        NotRepairedReason.STILL_PENDING,
        because(ReasonKind.STILL_PENDING, 1),
    ),
    "pending jobs of a queue that says it is finished": (
        EIGHT_REPORTED,
        QueueCounts(total=10, succeeded=8, pending=2, finished=True),
        NotRepairedReason.STILL_PENDING,
        because(ReasonKind.STILL_PENDING, 2),
    ),
    "pending jobs of a cancelled queue": (
        EIGHT_REPORTED,
        CANCELLED_STILL_PENDING,
        NotRepairedReason.STILL_PENDING,
        because(ReasonKind.CANCELLED_STILL_PENDING, 1),
    ),
    "an unsealed batch whose queue may add jobs": (
        replace(EIGHT_REPORTED, sealed=False, announced_jobs=8),
        QueueCounts(total=8, succeeded=7, failed=1),
        NotRepairedReason.MAY_ADD_JOBS,
        because(ReasonKind.MAY_ADD_JOBS),
    ),
}


@pytest.mark.parametrize(("batch", "counts", "reason", "detail"), NOT_REPAIRED.values(), ids=NOT_REPAIRED)
def test_a_batch_that_cannot_end_yet_is_left_without_an_error(
    batch: Batch, counts: QueueCounts, reason: NotRepairedReason, detail: Reason
) -> None:
    """With a list that brings nothing new, or without a list, nothing is written."""
    for listing in (None, listing_of(counts)):
        decision = left(decide(batch, counts, listing))
        assert decision == NotRepaired(reason, (detail,))
        assert not decision.is_error


UNFINISHED = {
    "jobs pending": (EIGHT_REPORTED, STILL_PENDING, because(ReasonKind.STILL_PENDING, 1)),
    "jobs of a cancelled queue pending": (
        EIGHT_REPORTED,
        CANCELLED_STILL_PENDING,
        because(ReasonKind.CANCELLED_STILL_PENDING, 1),
    ),
    "jobs may be added": (
        replace(EIGHT_REPORTED, sealed=False),
        QueueCounts(total=9, succeeded=8, failed=1),
        because(ReasonKind.MAY_ADD_JOBS),
    ),
}


@pytest.mark.parametrize(("batch", "counts", "why"), UNFINISHED.values(), ids=UNFINISHED)
def test_listed_results_are_recorded_although_the_batch_cannot_end(
    batch: Batch, counts: QueueCounts, why: Reason
) -> None:
    """The reasons say what is recorded, and why the batch does not end."""
    missing = results(1, first=8)
    decision = planned(decide(batch, counts, listing_of(counts, missing)))
    plan = decision.plan
    assert (plan.results, plan.closes, plan.cancels) == (tuple(missing), False, False)
    assert decision.reasons == (because(ReasonKind.MISSING_LISTED, 1, 10), why)


@pytest.mark.parametrize("counts", [STILL_PENDING, ALL_ENDED], ids=["counted as pending", "counted as ended"])
def test_the_reason_tells_how_many_jobs_are_unreadable_and_why(counts: QueueCounts) -> None:
    """A list that cannot read what is counted as ended is a contradiction, which tells it as well."""
    listing = listing_of(STILL_PENDING, unreadable=1, problem="its result is not JSON")
    decision = left(decide(EIGHT_REPORTED, counts, listing))
    assert decision.details[1:] == (because(ReasonKind.UNREADABLE, 1, "its result is not JSON"),)


def test_results_that_would_complete_a_batch_too_early_wait() -> None:
    """Where the queue has more jobs than were announced, results must not fill the batch."""
    counts = QueueCounts(total=12, succeeded=10, failed=1, pending=1)
    decision = left(decide(EIGHT_REPORTED, counts, listing_of(counts, results(3, first=8))))
    assert decision.reason is NotRepairedReason.STILL_PENDING
    assert decision.details[-1] == because(ReasonKind.OTHER_TOTAL, 12, 10)


def test_results_that_would_just_fill_a_batch_wait_too() -> None:
    """The last of exactly as many results as announced jobs would complete the batch."""
    counts = QueueCounts(total=12, succeeded=9, failed=1, pending=2)
    decision = left(decide(EIGHT_REPORTED, counts, listing_of(counts, results(2, first=8))))
    assert decision.reason is NotRepairedReason.STILL_PENDING


def test_a_job_reported_before_the_queue_knows_does_not_keep_others_out() -> None:
    """A reported job that is still pending in the queue is no contradiction."""
    missing = results(2, first=8)
    decision = planned(decide(EIGHT_REPORTED, STILL_PENDING, listing_of(STILL_PENDING, missing)))
    assert decision.plan.results == tuple(missing)


def test_a_batch_ends_with_the_missing_results_of_the_list() -> None:
    """Once all jobs have ended in the queue, the missing results are recorded and the batch ends."""
    assert decide(EIGHT_REPORTED, ALL_ENDED, TWO_MISSING) == PlannedRepair(
        RepairPlan(
            batch_id="batch",
            revision=9,
            results=tuple(results(2, first=8)),
            closes=True,
            total_jobs=10,
        ),
        (because(ReasonKind.MISSING_LISTED, 2, 10),),
    )


def test_a_batch_without_missing_results_only_has_to_end() -> None:
    """If there is nothing else to report, the reason is that only the end was missing."""
    batch = replace(EIGHT_REPORTED, tally=ALL_ENDED.tally)
    for listing in (listing_of(ALL_ENDED), None):
        decision = planned(decide(batch, ALL_ENDED, listing))
        assert (decision.plan.closes, decision.reasons) == (True, (because(ReasonKind.ONLY_END_MISSING),))


def test_a_sealed_batch_ends_whether_or_not_its_queue_is_finished() -> None:
    """The counts decide, not the flag."""
    assert planned(decide(EIGHT_REPORTED, NOT_FINISHED, TWO_MISSING)).plan.closes
    assert planned(decide(EIGHT_REPORTED, NOT_FINISHED, None)).plan.closes


def test_a_later_attempt_is_recorded() -> None:
    """A job whose attempt in the queue is higher than the recorded one is recorded again."""
    ten_reported = replace(EIGHT_REPORTED, tally=Tally(8, 1), announced_jobs=10)
    listing = Listing(
        tally=ALL_ENDED.tally, new=1, superseding=1, missing=tuple(results(2)), new_in_missing=1
    )
    decision = planned(decide(ten_reported, ALL_ENDED, listing))
    assert decision.plan.closes
    assert because(ReasonKind.LATER_ATTEMPTS, 1) in decision.reasons


def test_a_reported_outcome_wins_over_the_listed_one() -> None:
    """The reasons say how many reports disagree with the list."""
    decision = planned(decide(EIGHT_REPORTED, ALL_ENDED, replace(TWO_MISSING, conflicting=3)))
    assert decision.plan.closes
    assert decision.reasons[-1] == because(ReasonKind.CONFLICTS, 3)


def test_an_unsealed_batch_ends_once_its_queue_is_finished() -> None:
    """The queue adds no more jobs then."""
    batch = replace(EIGHT_REPORTED, sealed=False, announced_jobs=8)
    counts = QueueCounts(total=8, succeeded=7, failed=1, finished=True)
    for listing in (listing_of(counts), None):
        decision = planned(decide(batch, counts, listing))
        assert (decision.plan.closes, decision.plan.total_jobs) == (True, 8)
        assert decision.reasons == (because(ReasonKind.NEVER_SEALED),)


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("announced", [0, 10])
def test_an_unsealed_batch_never_ends_on_a_queue_without_jobs(
    announced: int, *, finished: bool, cancelled: bool
) -> None:
    """The queue may not have been filled yet, and reports of a sealed batch would be refused."""
    batch = replace(BATCH, sealed=False, announced_jobs=announced)
    counts = QueueCounts(total=0, finished=finished, cancelled=cancelled)
    for listing in (listing_of(counts), None):
        assert left(decide(batch, counts, listing)).reason is NotRepairedReason.NO_JOBS


@pytest.mark.parametrize("total", [8, 12], ids=["fewer jobs than announced", "more jobs than announced"])
def test_the_total_of_the_queue_wins_once_all_its_jobs_ended(total: int) -> None:
    """The reasons name both totals."""
    counts = QueueCounts(total=total, succeeded=total - 1, failed=1)
    listing = listing_of(counts, results(total - 8, first=8))
    for decision in (planned(decide(EIGHT_REPORTED, counts, one)) for one in (listing, None)):
        assert (decision.plan.closes, decision.plan.total_jobs) == (True, total)
        assert because(ReasonKind.OTHER_TOTAL, total, 10) in decision.reasons


def test_listed_jobs_replace_counted_ones() -> None:
    """Results without rows make room for the rows of listed jobs, because they belong to the same jobs."""
    batch = replace(EIGHT_REPORTED, unattributed=Tally(succeeded=2))
    counts = QueueCounts(total=8, succeeded=7, failed=1)
    assert planned(decide(batch, counts, listing_of(counts, results(2)))).plan.closes


def test_only_the_last_portion_ends_a_batch() -> None:
    """A portion sets the total, so that the next ones have room."""
    portion = replace(TWO_MISSING, missing=tuple(results(1, first=8)), new_in_missing=1)
    decision = planned(decide(EIGHT_REPORTED, ALL_ENDED, portion))
    plan = decision.plan
    assert (len(plan.results), plan.cancels, plan.total_jobs, plan.closes) == (1, False, 10, True)
    assert decision.reasons[-1] == because(ReasonKind.PORTION, 1)


def test_a_portion_of_later_attempts_does_not_set_the_total() -> None:
    """It adds no result, so setting the total might end the batch too early."""
    batch = replace(BATCH, announced_jobs=12, tally=Tally(8, 2))
    listing = Listing(tally=ALL_ENDED.tally, superseding=3, missing=tuple(results(2)))
    assert not planned(decide(batch, ALL_ENDED, listing)).plan.closes
