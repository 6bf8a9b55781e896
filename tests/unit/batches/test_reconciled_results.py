"""Results that came from the reconciler: as rows, or only as counts."""

from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.errors import BatchFull
from batches.result import Disposition, JobOutcome, ResultSource
from tests.support.samples import (
    BATCH,
    FAILED,
    RECONCILER,
    SKIPPED,
    SUCCEEDED,
    WORKER,
    at,
    result,
    results,
    stored,
)
from tests.unit.batches.reporting import kinds, recorded

RECORDED, DUPLICATE, SUPERSEDED_EARLIER, STALE = Disposition
ONE_FAILED = replace(BATCH, tally=Tally(0, 1))
COUNTED = replace(
    BATCH,
    tally=Tally(7, 2, 1),
    unattributed=Tally(2, 1, 1),
    reconciled_jobs=4,
    state=BatchState.COMPLETED,
    complete_time=at(0),
)
"""Ended by a repair that took four of its ten results from the queue's counts."""


@pytest.mark.parametrize(
    ("outcome", "tally", "unattributed"),
    [
        (SUCCEEDED, Tally(7, 2, 1), Tally(1, 1, 1)),
        (FAILED, Tally(7, 2, 1), Tally(2, 0, 1)),
        (SKIPPED, Tally(7, 2, 1), Tally(2, 1, 0)),
    ],
)
def test_a_counted_result_gets_its_row(outcome: JobOutcome, tally: Tally, unattributed: Tally) -> None:
    """A late report of a batch ended by counts turns one of them into a row; the tallies do not move."""
    recording = recorded(COUNTED, [result("late", outcome)])
    after = recording.batches["batch"]
    assert kinds(recording) == [RECORDED]
    assert (after.tally, after.unattributed, after.reconciled_jobs) == (tally, unattributed, 3)
    assert recording.inserted == [(BATCH.batch_key, result("late", outcome))]


@pytest.mark.parametrize(
    ("counted", "tally"),
    [
        (Tally(1, 0, 0), Tally(6, 3, 1)),
        (Tally(1, 0, 1), Tally(6, 3, 1)),
        (Tally(0, 0, 1), Tally(7, 3, 0)),
    ],
)
def test_a_count_of_another_outcome_gives_way(counted: Tally, tally: Tally) -> None:
    """If no counted result has the report's outcome, another one takes it over; the sum does not move."""
    batch = replace(COUNTED, unattributed=counted, reconciled_jobs=counted.ended)
    after = recorded(batch, [result("late", FAILED)]).batches["batch"]
    assert after.tally == tally
    assert after.unattributed.ended == counted.ended - 1


def test_counts_run_out() -> None:
    """When each counted result has its row, the batch is full."""
    recording = recorded(COUNTED, results(5))
    after = recording.batches["batch"]
    assert kinds(recording) == [RECORDED] * 4 + [BatchFull]
    assert (after.tally.ended, after.unattributed, after.reconciled_jobs) == (10, Tally(), 0)


def test_the_reconciler_counts_what_it_brings() -> None:
    """Results from the reconciler are counted a second time as reconciled."""
    after = recorded(BATCH, [*results(3), result("job", FAILED)], source=RECONCILER).batches["batch"]
    assert (after.tally, after.reconciled_jobs) == (Tally(3, 1), 4)


@pytest.mark.parametrize(
    ("before", "by", "reconciled_jobs"),
    [(RECONCILER, WORKER, 4), (WORKER, WORKER, 5), (WORKER, RECONCILER, 6), (RECONCILER, RECONCILER, 5)],
)
def test_who_superseded_whom(before: ResultSource, by: ResultSource, reconciled_jobs: int) -> None:
    """A result counts as reconciled exactly while the reconciler's attempt is the recorded one."""
    batch = replace(ONE_FAILED, reconciled_jobs=5)
    recording = recorded(batch, [result("job", attempt=2)], stored("job", FAILED, source=before), by)
    assert recording.batches["batch"].reconciled_jobs == reconciled_jobs


def test_a_repair_says_nothing_about_the_rate() -> None:
    """What the reconciler brings ended some time ago: only workers' results make the rate."""
    by_worker = recorded(BATCH, results(9)).batches["batch"]
    by_reconciler = recorded(BATCH, results(9), source=RECONCILER).batches["batch"]
    assert by_worker.results_per_second > 0
    assert by_reconciler.results_per_second == 0
