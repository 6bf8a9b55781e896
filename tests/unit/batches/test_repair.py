"""What a repair changes."""

from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Tally
from batches.recording import record
from batches.repair import RepairPlan, Tallies, repair, tallies_of
from batches.result import Disposition
from tests.support.samples import BATCH, FAILED, SKIPPED, WORKER, at, result, results, stored

STUCK = replace(BATCH, tally=Tally(6, 1), revision=5, last_result_time=at(10), read_time=at(600))
"""Workers reported seven of ten results, the last one ten minutes ago."""
PLAN = RepairPlan("batch", revision=5, reason="the queue says so")


def repaired(plan: RepairPlan, batch: Batch = STUCK) -> Batch:
    """Return the batch after a plan whose results are all new."""
    return repair(batch, {}, plan).batches["batch"]


def test_missing_results_are_recorded_as_reconciled() -> None:
    """The last of them completes the batch."""
    recording = repair(STUCK, {}, replace(PLAN, results=(*results(2), result("last", FAILED))))
    after = recording.batches["batch"]
    assert (after.tally, after.reconciled_jobs, after.revision) == (Tally(8, 2), 3, 6)
    assert (after.state, after.complete_time) == (BatchState.COMPLETED, at(600))
    assert recording.changed == [after]
    assert len(recording.inserted) == 3


def test_a_plan_that_does_not_close_leaves_the_total() -> None:
    """Jobs that are still pending stay so."""
    after = repaired(replace(PLAN, results=(result("one"),), total_jobs=99, unattributed=Tally(2)))
    assert (after.tally, after.total_jobs, after.state) == (Tally(7, 1), 10, BatchState.PROCESSING)


@pytest.mark.parametrize(
    ("batch", "plan"),
    [
        (STUCK, PLAN),
        (STUCK, replace(PLAN, total_jobs=99, unattributed=Tally(3), cancels=True)),
        (STUCK, replace(PLAN, results=(result("job", FAILED),))),
    ],
)
def test_a_plan_without_news_changes_nothing(batch: Batch, plan: RepairPlan) -> None:
    """A plan that neither closes the batch nor has a new result is not a repair."""
    recording = repair(batch, stored("job", FAILED), plan)
    assert recording.batches["batch"] == batch
    assert (recording.changed, recording.inserted, recording.updated) == ([], [], [])


def test_counts_of_the_queue_complete_the_batch() -> None:
    """They become part of the tallies, and are kept apart as unattributed."""
    recording = repair(STUCK, {}, replace(PLAN, closes=True, total_jobs=10, unattributed=Tally(1, 2)))
    after = recording.batches["batch"]
    assert (after.tally, after.unattributed, after.reconciled_jobs) == (Tally(7, 3), Tally(1, 2), 3)
    assert (after.state, after.complete_time, after.revision) == (BatchState.COMPLETED, at(600), 6)
    assert (recording.changed, recording.inserted) == ([after], [])


def test_results_and_counts_together_are_one_change() -> None:
    """A result of the plan becomes a row and never replaces one of the plan's counts."""
    plan = replace(PLAN, closes=True, total_jobs=10, results=tuple(results(2)), unattributed=Tally(0, 0, 1))
    after = repaired(plan)
    assert (after.tally, after.unattributed, after.reconciled_jobs) == (Tally(8, 1, 1), Tally(0, 0, 1), 3)
    assert (after.state, after.revision) == (BatchState.COMPLETED, 6)


@pytest.mark.parametrize(
    ("batch", "total_jobs", "counted"),
    [
        (STUCK, 8, Tally(1)),
        (STUCK, 7, Tally()),
        (STUCK, 12, Tally(5)),
        (replace(STUCK, sealed=False, announced_jobs=3), 9, Tally(0, 2)),
        (replace(STUCK, tally=Tally(), announced_jobs=4), 0, Tally()),
    ],
)
def test_the_queues_total_wins(batch: Batch, total_jobs: int, counted: Tally) -> None:
    """Once all its jobs have ended, the queue's total is final, whether lower or higher than announced."""
    after = repaired(replace(PLAN, closes=True, total_jobs=total_jobs, unattributed=counted), batch)
    assert (after.sealed, after.announced_jobs, after.total_jobs) == (True, total_jobs, total_jobs)
    assert (after.state, after.pending_jobs) == (BatchState.COMPLETED, 0)


def test_a_batch_cancelled_in_the_queue_is_cancelled() -> None:
    """Its last result does not complete it; jobs that never ran are skipped."""
    plan = replace(
        PLAN,
        closes=True,
        cancels=True,
        total_jobs=10,
        results=(result("ran"), *results(2, SKIPPED)),
    )
    after = repaired(plan)
    assert (after.tally, after.pending_jobs, after.revision) == (Tally(7, 1, 2), 0, 6)
    assert (after.state, after.complete_time) == (BatchState.CANCELLED, at(600))


def test_a_repair_never_ends_a_batch_before_its_last_result() -> None:
    """A cancellation that was read before another commit is no earlier than that commit."""
    batch = replace(STUCK, read_time=at(9))
    after = repaired(replace(PLAN, closes=True, cancels=True, total_jobs=7), batch)
    assert after.complete_time == at(10)


def test_a_late_report_replaces_a_count_of_the_repair() -> None:
    """The sum of the tallies stays."""
    closed = repaired(replace(PLAN, closes=True, total_jobs=10, unattributed=Tally(1, 2)))
    recording = record([closed], {}, [result("late")], WORKER)
    after = recording.batches["batch"]
    assert recording.verdicts == [Disposition.RECORDED]
    assert (after.tally, after.unattributed, after.reconciled_jobs) == (Tally(7, 3), Tally(0, 2), 2)


ENDED = replace(
    STUCK, state=BatchState.COMPLETED, tally=Tally(7, 3), unattributed=Tally(1, 2), complete_time=at(600)
)
"""The batch ended with three results that the queue only counted."""
RECOUNT = replace(PLAN, recounts=True, unattributed=Tally(3))


def test_other_counts_replace_the_counted_results_of_an_ended_batch() -> None:
    """Its rows, its total, its state and the time of its end stay."""
    recording = repair(ENDED, {}, RECOUNT)
    after = recording.batches["batch"]
    assert after == replace(ENDED, tally=Tally(9, 1), unattributed=Tally(3), revision=6)
    assert (recording.changed, recording.inserted, recording.updated) == ([after], [], [])


def test_the_same_counts_change_nothing_about_an_ended_batch() -> None:
    recording = repair(ENDED, {}, replace(RECOUNT, unattributed=ENDED.unattributed))
    assert (recording.batches["batch"], recording.changed) == (ENDED, [])


def test_the_record_of_a_repair_has_state_total_and_tallies() -> None:
    """The pending jobs follow from them."""
    assert tallies_of(STUCK) == Tallies(BatchState.PROCESSING, 10, Tally(6, 1))
    assert tallies_of(STUCK).pending_jobs == 3
