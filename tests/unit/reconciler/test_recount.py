"""What is decided about an ended batch whose queue counts its jobs differently now."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batches.batch import BatchState, Tally
from batches.repair import RepairPlan, repair
from batches.result import JobOutcome
from reconciler.decision.decide import PlannedRepair
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.decision.recount import recount
from reconciler.queue.port import QueueCounts
from tests.support.samples import BATCH
from tests.unit.reconciler.decisions import because, left

ENDED = replace(
    BATCH,
    state=BatchState.COMPLETED,
    tally=Tally(7, 3),
    unattributed=Tally(1, 2),
    reconciled_jobs=3,
    revision=9,
)
"""Seven of its ten jobs were reported, one of them as failed; the queue counted the others."""
RETRIED = QueueCounts(total=10, succeeded=9, failed=1, finished=True)
"""The two failures that the queue counted were retried with success."""


def test_counted_failures_follow_the_queue_when_their_jobs_were_retried() -> None:
    assert recount(ENDED, RETRIED) == PlannedRepair(
        RepairPlan("batch", 9, unattributed=Tally(3), recounts=True),
        (because(ReasonKind.RECOUNTED, 9, 1, 0),),
    )


def test_a_late_report_may_have_replaced_another_count() -> None:
    """The report of a retry took the place of a counted success, and the counted failures stayed."""
    late = replace(ENDED, tally=Tally(7, 3), unattributed=Tally(0, 2))
    decision = recount(late, RETRIED)
    assert isinstance(decision, PlannedRepair)
    assert decision.plan.unattributed == Tally(2)


LEFT = {
    "the same counts": (QueueCounts(total=10, succeeded=7, failed=3), ()),
    "a job that is retried at this moment": (
        QueueCounts(total=10, succeeded=8, failed=1, pending=1),
        (because(ReasonKind.STILL_PENDING, 1),),
    ),
    "jobs that were added after the end": (
        QueueCounts(total=12, succeeded=12),
        (because(ReasonKind.OTHER_TOTAL, 12, 10),),
    ),
    "counts that contradict themselves": (
        QueueCounts(total=10, succeeded=8),
        (because(ReasonKind.WRONG_SUM, 8, 0, 0, 0, 10),),
    ),
}


@pytest.mark.parametrize(("counts", "details"), LEFT.values(), ids=LEFT)
def test_an_ended_batch_stays_unless_the_counts_are_those_of_all_its_jobs(
    counts: QueueCounts, details: tuple[Reason, ...]
) -> None:
    decision = left(recount(ENDED, counts))
    assert decision.reason is NotRepairedReason.ENDED
    assert decision.details == (because(ReasonKind.ENDED, BatchState.COMPLETED), *details)


def test_a_reported_failure_is_kept_although_the_queue_no_longer_has_it() -> None:
    """Only a report of a higher attempt replaces it."""
    reported = replace(ENDED, unattributed=Tally(3, 0))
    assert left(recount(reported, QueueCounts(total=10, succeeded=10))).reason is NotRepairedReason.ENDED


TALLIES = st.builds(Tally, *[st.integers(0, 4)] * 3)


@settings(max_examples=150, deadline=None)
@given(rows=TALLIES, counted=TALLIES, now=TALLIES)
def test_rows_and_sums_stay_and_a_second_recount_changes_nothing(
    rows: Tally, counted: Tally, now: Tally
) -> None:
    """This holds for any counts of a queue."""
    ended = replace(ENDED, tally=rows + counted, unattributed=counted, announced_jobs=(rows + counted).ended)
    counts = QueueCounts(
        total=now.ended, succeeded=now.succeeded, failed=now.failed, skipped=now.skipped, finished=True
    )
    decision = recount(ended, counts)
    if isinstance(decision, PlannedRepair):
        after = repair(ended, {}, decision.plan).batches["batch"]
        assert (after.tally - after.unattributed, after.tally.ended) == (rows, ended.tally.ended)
        assert min(after.unattributed.of(outcome) for outcome in JobOutcome) >= 0
        assert left(recount(after, counts)).reason is NotRepairedReason.ENDED
