"""What is done about a batch, rule by rule."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from batches.batch import TOTAL_JOBS_MAX, Batch, BatchState, Tally
from batches.repair import RepairPlan
from batches.result import JobResult
from reconciler.decision.decide import counted_results, decide
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts
from tests.support.samples import BATCH, results

EIGHT_REPORTED = replace(BATCH, tally=Tally(succeeded=7, failed=1), revision=9)
"""Of ten jobs, two were never reported."""
ALL_ENDED = QueueCounts(total=10, succeeded=8, failed=2, finished=True)
"""What its queue knows: one of the two failed."""


def listing_of(counts: QueueCounts, missing: Sequence[JobResult] = (), **changed: object) -> Listing:
    """Return the list that agrees with the counts."""
    listing = Listing(
        ended=counts.tally,
        pending=counts.pending,
        new=len(missing),
        missing=tuple(missing),
        new_in_missing=len(missing),
    )
    return replace(listing, **changed)  # type: ignore[arg-type]


TWO_MISSING = listing_of(ALL_ENDED, results(2, first=8))


def left(decision: Leave | RepairPlan) -> Leave:
    """Return the decision, which must be to leave."""
    assert isinstance(decision, Leave)
    return decision


def planned(decision: Leave | RepairPlan) -> RepairPlan:
    """Return the decision, which must be to repair."""
    assert isinstance(decision, RepairPlan)
    return decision


COUNTS_THAT_LIE = {
    "a negative count": QueueCounts(total=10, succeeded=12, failed=-2),
    "a negative pending": QueueCounts(total=10, succeeded=12, pending=-2),
    "a negative total": QueueCounts(total=-1, succeeded=-1),
    "less than the total": QueueCounts(total=10, succeeded=8, failed=1, finished=True),
    "more than the total": QueueCounts(total=10, succeeded=10, pending=1),
    "finished, but nothing ended": QueueCounts(total=10, finished=True),
    "more than a batch may have": QueueCounts(total=TOTAL_JOBS_MAX + 1, succeeded=TOTAL_JOBS_MAX + 1),
}


@pytest.mark.parametrize("counts", COUNTS_THAT_LIE.values(), ids=COUNTS_THAT_LIE)
def test_counts_that_cannot_be_true(counts: QueueCounts) -> None:
    """Counts that contradict themselves are an error, and nothing is written."""
    decision = left(decide(EIGHT_REPORTED, counts, None))
    assert decision.kind is LeaveKind.CONTRADICTION
    assert decision.is_error


LISTS_THAT_LIE = {
    "a job twice": listing_of(ALL_ENDED, results(2, first=8), listed_twice=True),
    "one job too few": listing_of(ALL_ENDED, results(1), ended=Tally(succeeded=7, failed=2)),
    "one job too many": listing_of(ALL_ENDED, results(3), ended=Tally(succeeded=9, failed=2)),
    "another outcome than counted": listing_of(ALL_ENDED, results(2), ended=Tally(succeeded=9, failed=1)),
    "a pending job where none is counted": listing_of(
        ALL_ENDED, results(1), ended=Tally(succeeded=8, failed=1), pending=1
    ),
    "other jobs than those reported": listing_of(ALL_ENDED, results(3, first=7)),
    "fewer missing results than there are": listing_of(ALL_ENDED, results(1, first=9)),
}


@pytest.mark.parametrize("listing", LISTS_THAT_LIE.values(), ids=LISTS_THAT_LIE)
def test_lists_that_cannot_be_true(listing: Listing) -> None:
    """A list that disagrees with the counts or with what is recorded is an error, and nothing is written."""
    assert left(decide(EIGHT_REPORTED, ALL_ENDED, listing)).kind is LeaveKind.CONTRADICTION


STILL_PENDING = QueueCounts(total=10, succeeded=8, failed=1, pending=1)
NOT_FINISHED = replace(ALL_ENDED, finished=False)

LEFT = {
    "an ended batch": (
        replace(EIGHT_REPORTED, state=BatchState.CANCELLED),
        ALL_ENDED,
        LeaveKind.ENDED,
        "it has ended already: CANCELLED",
    ),
    "a queue without jobs": (
        EIGHT_REPORTED,
        QueueCounts(total=0, finished=True),
        LeaveKind.NO_JOBS,
        "the queue has no jobs for it",
    ),
    "one job pending": (
        EIGHT_REPORTED,
        STILL_PENDING,
        LeaveKind.STILL_PENDING,
        "1 job is still pending in the queue",
    ),
    "pending jobs of a queue that says it is finished": (
        EIGHT_REPORTED,
        QueueCounts(total=10, succeeded=8, pending=2, finished=True),
        LeaveKind.STILL_PENDING,
        "2 jobs are still pending in the queue",
    ),
    "pending jobs of a cancelled queue": (
        EIGHT_REPORTED,
        replace(STILL_PENDING, cancelled=True, finished=True),
        LeaveKind.STILL_PENDING,
        "cancelled in the queue, 1 job still pending there",
    ),
    "an unsealed batch whose queue may add jobs": (
        replace(EIGHT_REPORTED, sealed=False, announced_jobs=8),
        QueueCounts(total=8, succeeded=7, failed=1),
        LeaveKind.MAY_ADD_JOBS,
        "the queue may still add jobs",
    ),
}


@pytest.mark.parametrize(("batch", "counts", "kind", "reason"), LEFT.values(), ids=LEFT)
def test_left_alone(batch: Batch, counts: QueueCounts, kind: LeaveKind, reason: str) -> None:
    """A batch that cannot end yet, of which the queue knows nothing new, is left, and that is no error."""
    for listing in (None, listing_of(counts)):
        decision = left(decide(batch, counts, listing))
        assert (decision.kind, decision.reason, decision.is_error) == (kind, reason, False)


UNFINISHED = {
    "jobs pending": (EIGHT_REPORTED, STILL_PENDING, "1 job is still pending in the queue"),
    "jobs of a cancelled queue pending": (
        EIGHT_REPORTED,
        replace(STILL_PENDING, cancelled=True, finished=True),
        "cancelled in the queue, 1 job still pending there",
    ),
    "jobs may be added": (
        replace(EIGHT_REPORTED, sealed=False),
        QueueCounts(total=9, succeeded=8, failed=1),
        "the queue may still add jobs",
    ),
}


@pytest.mark.parametrize(("batch", "counts", "why"), UNFINISHED.values(), ids=UNFINISHED)
def test_recorded_without_an_end(batch: Batch, counts: QueueCounts, why: str) -> None:
    """What the queue lists and nobody reported is recorded although the batch cannot end yet."""
    missing = results(1, first=8)
    plan = planned(decide(batch, counts, listing_of(counts, missing)))
    assert (plan.results, plan.closes, plan.cancels) == (tuple(missing), False, False)
    assert plan.reason.startswith("1 of 10 results was never reported; taken from the queue's list")
    assert plan.reason.endswith(why)


def test_counts_of_unfinished_jobs_are_not_taken() -> None:
    """Counts alone never become results while a job is pending: nobody knows whose they are."""
    assert isinstance(decide(EIGHT_REPORTED, STILL_PENDING, None), Leave)


def test_results_must_not_complete_a_batch_too_early() -> None:
    """Where the queue has more jobs than were announced, results that would fill the batch wait."""
    counts = QueueCounts(total=12, succeeded=10, failed=1, pending=1)
    decision = left(decide(EIGHT_REPORTED, counts, listing_of(counts, results(3, first=8))))
    assert decision.kind is LeaveKind.STILL_PENDING
    assert decision.reason.endswith("the queue has 12 jobs, 10 were announced")


def test_reported_before_the_queue_knows() -> None:
    """A job that was reported and is still pending in the queue does not keep the others' results out."""
    missing = results(2, first=8)
    plan = planned(decide(EIGHT_REPORTED, STILL_PENDING, listing_of(STILL_PENDING, missing)))
    assert plan.results == tuple(missing)


def test_more_results_than_jobs_while_pending() -> None:
    """More results than the batch and its queue have jobs are an error also while a job is pending."""
    counts = replace(STILL_PENDING, total=9, succeeded=7)
    decision = left(decide(EIGHT_REPORTED, counts, listing_of(counts, results(3, first=8))))
    assert decision.kind is LeaveKind.CONTRADICTION


def test_closed_by_the_list() -> None:
    """Once all jobs ended, the missing results are recorded and the batch ends."""
    plan = planned(decide(EIGHT_REPORTED, ALL_ENDED, TWO_MISSING))
    assert plan == RepairPlan(
        batch_id="batch",
        revision=9,
        reason="2 of 10 results were never reported; taken from the queue's list",
        results=tuple(results(2, first=8)),
        closes=True,
        total_jobs=10,
    )


def test_finished_is_not_needed_for_a_sealed_batch() -> None:
    """A sealed batch ends by the counts, whether or not the queue calls it finished."""
    assert planned(decide(EIGHT_REPORTED, NOT_FINISHED, TWO_MISSING)).closes
    assert planned(decide(EIGHT_REPORTED, NOT_FINISHED, None)).closes


def test_later_attempts_are_recorded() -> None:
    """A job whose attempt in the queue is higher than the recorded one is recorded anew."""
    ten_reported = replace(EIGHT_REPORTED, tally=Tally(8, 1), announced_jobs=10)
    listing = Listing(
        ended=ALL_ENDED.tally, new=1, superseding=1, missing=tuple(results(2)), new_in_missing=1
    )
    plan = planned(decide(ten_reported, ALL_ENDED, listing))
    assert plan.closes
    assert "1 job has a later attempt in the queue" in plan.reason


def test_conflicting_results_stay() -> None:
    """What was reported stays where the queue lists another outcome; the reason says so."""
    plan = planned(decide(EIGHT_REPORTED, ALL_ENDED, replace(TWO_MISSING, conflicting=3)))
    assert plan.closes
    assert plan.reason.endswith("3 results reported otherwise than the queue lists stay as reported")


def test_never_sealed() -> None:
    """An unsealed batch ends once its queue is finished."""
    batch = replace(EIGHT_REPORTED, sealed=False, announced_jobs=8)
    counts = QueueCounts(total=8, succeeded=7, failed=1, finished=True)
    for listing in (listing_of(counts), None):
        plan = planned(decide(batch, counts, listing))
        assert (plan.closes, plan.total_jobs) == (True, 8)
        assert plan.reason == "the batch was never sealed, but the queue is finished with it"


def test_empty_batch() -> None:
    """An unsealed batch without jobs ends once its queue is finished, and not before."""
    batch = replace(BATCH, sealed=False, announced_jobs=0)
    assert left(decide(batch, QueueCounts(total=0), None)).kind is LeaveKind.MAY_ADD_JOBS
    assert planned(decide(batch, QueueCounts(total=0, finished=True), None)).closes


@pytest.mark.parametrize("total", [8, 12], ids=["fewer jobs than announced", "more jobs than announced"])
def test_the_total_of_the_queue_wins(total: int) -> None:
    """Once all its jobs ended, the queue's total becomes the batch's, and the reason says so."""
    counts = QueueCounts(total=total, succeeded=total - 1, failed=1)
    listing = listing_of(counts, results(total - 8, first=8))
    for plan in (planned(decide(EIGHT_REPORTED, counts, one)) for one in (listing, None)):
        assert (plan.closes, plan.total_jobs) == (True, total)
        assert f"the queue has {total} jobs, 10 were announced" in plan.reason


def test_listed_jobs_take_the_place_of_counted_ones() -> None:
    """Results without rows make room for the rows of listed jobs, since they are of the same jobs."""
    batch = replace(EIGHT_REPORTED, unattributed=Tally(succeeded=2))
    counts = QueueCounts(total=8, succeeded=7, failed=1)
    assert planned(decide(batch, counts, listing_of(counts, results(2)))).closes


def test_portions() -> None:
    """What one repair cannot record is recorded in portions, and only the last one ends the batch."""
    portion = replace(TWO_MISSING, missing=tuple(results(1, first=8)), new_in_missing=1)
    plan = planned(decide(EIGHT_REPORTED, ALL_ENDED, portion))
    assert (len(plan.results), plan.cancels, plan.total_jobs, plan.closes) == (1, False, 10, True)
    assert plan.reason.endswith("1 of them now")


def test_portions_of_later_attempts_only() -> None:
    """Portions that add no result leave the total alone: setting it might end the batch too early."""
    batch = replace(BATCH, announced_jobs=12, tally=Tally(8, 2))
    listing = Listing(ended=ALL_ENDED.tally, superseding=3, missing=tuple(results(2)))
    assert not planned(decide(batch, ALL_ENDED, listing)).closes


def test_closed_by_counts() -> None:
    """A queue that keeps only counts gives what nobody reported as results without rows."""
    plan = planned(decide(EIGHT_REPORTED, ALL_ENDED, None))
    assert plan == RepairPlan(
        batch_id="batch",
        revision=9,
        reason="2 of 10 results were never reported; taken from the queue's counts",
        closes=True,
        total_jobs=10,
        unattributed=Tally(succeeded=1, failed=1),
    )


def test_more_reported_than_counted() -> None:
    """Where more of one outcome was reported than is counted, the reports win, and the reason says so."""
    batch = replace(BATCH, tally=Tally(succeeded=5, failed=3))
    plan = planned(decide(batch, ALL_ENDED, None))
    assert plan.unattributed == Tally(succeeded=2)
    assert plan.reason.endswith("the queue counts 2 failed, 3 were reported")


def test_more_reported_than_the_queue_has() -> None:
    """More results than the queue has jobs are an error."""
    counts = QueueCounts(total=7, succeeded=7)
    assert left(decide(EIGHT_REPORTED, counts, None)).kind is LeaveKind.CONTRADICTION


FILLED = {
    "nothing reported": (Tally(), Tally(5, 3, 2), 10, Tally(5, 3, 2)),
    "nothing missing": (Tally(5, 3, 2), Tally(5, 3, 2), 0, Tally()),
    "failures before successes": (Tally(5, 0, 3), Tally(8, 2, 0), 2, Tally(0, 2, 0)),
    "skips before successes": (Tally(4, 3, 0), Tally(6, 2, 2), 3, Tally(1, 0, 2)),
    "failures before skips": (Tally(9, 0, 0), Tally(0, 6, 4), 1, Tally(0, 1, 0)),
    "fewer than are missing": (Tally(2, 1, 0), Tally(3, 1, 0), 5, Tally(1, 0, 0)),
}


@pytest.mark.parametrize(("reported", "counted", "missing", "taken"), FILLED.values(), ids=FILLED)
def test_which_counts_are_taken(reported: Tally, counted: Tally, missing: int, taken: Tally) -> None:
    """At most the missing results are taken, failures first, so that none is hidden by a report."""
    assert counted_results(reported, counted, missing) == taken


CANCELLED = QueueCounts(total=10, succeeded=7, failed=1, skipped=2, finished=True, cancelled=True)

CANCELS = {
    "counts that know what was skipped": (CANCELLED, None, 10, Tally(skipped=2)),
    "counts of fewer jobs than announced": (
        replace(CANCELLED, total=8, skipped=0),
        None,
        10,
        Tally(skipped=2),
    ),
    "counts of more jobs than announced": (
        replace(CANCELLED, total=12, succeeded=9),
        None,
        12,
        Tally(succeeded=2, skipped=2),
    ),
    "no jobs at all": (QueueCounts(total=0, cancelled=True), None, 10, Tally(skipped=2)),
    "a list of what was skipped": (CANCELLED, listing_of(CANCELLED, results(2, first=8)), 10, Tally()),
    "a list of what ran only": (
        replace(CANCELLED, total=8, skipped=0),
        listing_of(replace(CANCELLED, total=8, skipped=0)),
        10,
        Tally(skipped=2),
    ),
}


@pytest.mark.parametrize(("counts", "listing", "total", "unattributed"), CANCELS.values(), ids=CANCELS)
def test_cancelled(counts: QueueCounts, listing: Listing | None, total: int, unattributed: Tally) -> None:
    """A batch cancelled in the queue ends so once none of its jobs is pending; what never ran is skipped."""
    plan = planned(decide(EIGHT_REPORTED, counts, listing))
    assert (plan.closes, plan.cancels, plan.total_jobs) == (True, True, total)
    assert plan.unattributed == unattributed
    assert "cancelled in the queue" in plan.reason


def test_cancelled_in_portions() -> None:
    """A cancelled batch takes its portions before it ends, since an ended batch takes no repair."""
    portion = listing_of(CANCELLED, results(1, first=8), new=2)
    plan = planned(decide(EIGHT_REPORTED, CANCELLED, portion))
    assert (plan.closes, plan.cancels) == (True, False)


def test_cancelled_before_it_was_sealed() -> None:
    """A cancelled queue adds no jobs, whatever it says of being finished."""
    batch = replace(EIGHT_REPORTED, sealed=False)
    assert planned(decide(batch, replace(CANCELLED, finished=False), None)).cancels
