"""Results that came from the reconciler, as rows or as counts."""

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
from tests.unit.batches.reporting import recorded, verdicts

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
"""Ended by a repair that took four of ten results from the counts of the queue."""


@pytest.mark.parametrize(
    ("outcome", "tally", "unattributed"),
    [
        (SUCCEEDED, Tally(7, 2, 1), Tally(1, 1, 1)),
        (FAILED, Tally(7, 2, 1), Tally(2, 0, 1)),
        (SKIPPED, Tally(7, 2, 1), Tally(2, 1, 0)),
    ],
)
def test_a_late_report_replaces_a_counted_result(
    outcome: JobOutcome, tally: Tally, unattributed: Tally
) -> None:
    """The report becomes a row, and the tallies do not move."""
    recording = recorded(COUNTED, [result("late", outcome)])
    after = recording.batches["batch"]
    assert verdicts(recording) == [RECORDED]
    assert (after.tally, after.unattributed, after.reconciled_jobs) == (tally, unattributed, 3)
    assert recording.inserted == [(BATCH.batch_key, result("late", outcome))]


@pytest.mark.parametrize(
    ("outcome", "counted", "tally"),
    [
        (FAILED, Tally(1, 0, 0), Tally(6, 3, 1)),
        (FAILED, Tally(1, 0, 1), Tally(6, 3, 1)),
        (FAILED, Tally(0, 0, 1), Tally(7, 3, 0)),
        (SUCCEEDED, Tally(0, 1, 1), Tally(8, 2, 0)),
    ],
)
def test_a_late_report_may_replace_a_count_of_another_outcome(
    outcome: JobOutcome, counted: Tally, tally: Tally
) -> None:
    """The sum of the tallies does not move."""
    batch = replace(COUNTED, unattributed=counted, reconciled_jobs=counted.ended)
    after = recorded(batch, [result("late", outcome)]).batches["batch"]
    assert after.tally == tally
    assert after.unattributed.ended == counted.ended - 1


def test_a_batch_is_full_when_no_count_is_left() -> None:
    """Every counted result has been replaced by a row."""
    recording = recorded(COUNTED, results(5))
    after = recording.batches["batch"]
    assert verdicts(recording) == [RECORDED] * 4 + [BatchFull]
    assert (after.tally.ended, after.unattributed, after.reconciled_jobs) == (10, Tally(), 0)


def test_results_of_the_reconciler_are_counted_as_reconciled() -> None:
    """They are part of the tally as well."""
    after = recorded(BATCH, [*results(3), result("job", FAILED)], source=RECONCILER).batches["batch"]
    assert (after.tally, after.reconciled_jobs) == (Tally(3, 1), 4)


@pytest.mark.parametrize(
    ("before", "by", "reconciled_jobs"),
    [(RECONCILER, WORKER, 4), (WORKER, WORKER, 5), (WORKER, RECONCILER, 6), (RECONCILER, RECONCILER, 5)],
)
def test_reconciled_jobs_follow_the_recorded_attempt(
    before: ResultSource, by: ResultSource, reconciled_jobs: int
) -> None:
    """A job counts as reconciled exactly while its recorded attempt is the reconciler's."""
    batch = replace(ONE_FAILED, reconciled_jobs=5)
    recording = recorded(batch, [result("job", attempt=2)], stored("job", FAILED, source=before), by)
    assert recording.batches["batch"].reconciled_jobs == reconciled_jobs


def test_only_results_of_workers_make_the_rate() -> None:
    """The results of a repair ended at an unknown time."""
    by_worker = recorded(BATCH, results(9)).batches["batch"]
    by_reconciler = recorded(BATCH, results(9), source=RECONCILER).batches["batch"]
    assert by_worker.results_per_second > 0
    assert by_reconciler.results_per_second == 0
