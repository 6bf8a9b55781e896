"""What is decided about a batch whose queue keeps only counts, or has cancelled it."""

from dataclasses import replace

import pytest

from batches.batch import Tally
from batches.repair import RepairPlan
from reconciler.decision.decide import PlannedRepair, counted_results, decide
from reconciler.decision.not_repaired import NotRepaired
from reconciler.decision.reasons import ReasonKind
from reconciler.queue.listing import Listing
from reconciler.queue.port import QueueCounts
from tests.support.samples import BATCH, FAILED, results
from tests.unit.reconciler.decisions import ALL_ENDED, EIGHT_REPORTED, because, listing_of, planned


def test_counts_of_unfinished_jobs_are_not_used() -> None:
    """While a job is pending, nobody knows whose results the counts are."""
    counts = QueueCounts(total=10, succeeded=8, failed=1, pending=1)
    assert isinstance(decide(EIGHT_REPORTED, counts, None), NotRepaired)


def test_a_batch_ends_with_results_without_rows() -> None:
    """Unreported results are taken from the counts."""
    assert decide(EIGHT_REPORTED, ALL_ENDED, None) == PlannedRepair(
        RepairPlan(
            batch_id="batch",
            revision=9,
            closes=True,
            total_jobs=10,
            unattributed=Tally(succeeded=1, failed=1),
        ),
        (because(ReasonKind.MISSING_COUNTED, 2, 10),),
    )


def test_reports_win_over_counts() -> None:
    """If more of one outcome was reported than is counted, the reasons say so."""
    batch = replace(BATCH, tally=Tally(succeeded=5, failed=3))
    decision = planned(decide(batch, ALL_ENDED, None))
    assert decision.plan.unattributed == Tally(succeeded=2)
    assert decision.reasons[-1] == because(ReasonKind.SURPLUS, FAILED, 2, 3)


FILLED = {
    "nothing reported": (Tally(), Tally(5, 3, 2), 10, Tally(5, 3, 2)),
    "nothing missing": (Tally(5, 3, 2), Tally(5, 3, 2), 0, Tally()),
    "failures before successes": (Tally(5, 0, 3), Tally(8, 2, 0), 2, Tally(0, 2, 0)),
    "skips before successes": (Tally(4, 3, 0), Tally(6, 2, 2), 3, Tally(1, 0, 2)),
    "failures before skips": (Tally(9, 0, 0), Tally(0, 6, 4), 1, Tally(0, 1, 0)),
    "fewer than are missing": (Tally(2, 1, 0), Tally(3, 1, 0), 5, Tally(1, 0, 0)),
}


@pytest.mark.parametrize(("reported", "counted", "missing", "expected"), FILLED.values(), ids=FILLED)
def test_failures_are_taken_from_counts_first(
    reported: Tally, counted: Tally, missing: int, expected: Tally
) -> None:
    """At most the missing results are taken; no failure is hidden by a report."""
    assert counted_results(reported, counted, missing) == expected


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
def test_a_cancelled_batch_ends_once_none_of_its_jobs_is_pending(
    counts: QueueCounts, listing: Listing | None, total: int, unattributed: Tally
) -> None:
    """Jobs that never ran are skipped."""
    decision = planned(decide(EIGHT_REPORTED, counts, listing))
    plan = decision.plan
    assert (plan.closes, plan.cancels, plan.total_jobs) == (True, True, total)
    assert plan.unattributed == unattributed
    assert ReasonKind.CANCELLED in {reason.kind for reason in decision.reasons}


def test_a_cancelled_batch_records_its_portions_before_it_ends() -> None:
    """An ended batch accepts no repair."""
    portion = listing_of(CANCELLED, results(1, first=8), new=2)
    plan = planned(decide(EIGHT_REPORTED, CANCELLED, portion)).plan
    assert (plan.closes, plan.cancels) == (True, False)


def test_an_unsealed_batch_ends_once_its_queue_is_cancelled() -> None:
    """A cancelled queue adds no jobs, whether or not it says that it is finished."""
    batch = replace(EIGHT_REPORTED, sealed=False)
    assert planned(decide(batch, replace(CANCELLED, finished=False), None)).plan.cancels
