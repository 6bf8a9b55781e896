"""The differences that the check finds in one batch."""

from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Tally
from batches.result import JobOutcome, ResultSource
from batches.store.check import Difference, differences_of
from tests.support.samples import BATCH, FAILED, RECONCILER, SKIPPED, SUCCEEDED, WORKER

ROWS = {(SUCCEEDED, WORKER): 4, (FAILED, WORKER): 1, (FAILED, RECONCILER): 2, (SKIPPED, RECONCILER): 1}
RIGHT = replace(BATCH, tally=Tally(4, 3, 1), reconciled_jobs=3)
COUNTED = replace(
    BATCH,
    tally=Tally(5, 3, 2),
    unattributed=Tally(1, 0, 1),
    reconciled_jobs=5,
    state=BatchState.COMPLETED,
)
"""The same rows, and two results that are only counted."""


@pytest.mark.parametrize(
    ("batch", "rows"),
    [
        (RIGHT, ROWS),
        (COUNTED, ROWS),
        (BATCH, {}),
        (replace(RIGHT, state=BatchState.CANCELLED), ROWS),
        (replace(RIGHT, sealed=False, announced_jobs=3), ROWS),
        (replace(RIGHT, sealed=False, announced_jobs=8), ROWS),
        (replace(RIGHT, announced_jobs=8, state=BatchState.CANCELLED), ROWS),
        (replace(RIGHT, announced_jobs=8, state=BatchState.COMPLETED), ROWS),
    ],
)
def test_a_consistent_batch_has_no_difference(
    batch: Batch, rows: dict[tuple[JobOutcome, ResultSource], int]
) -> None:
    """The counters equal the rows plus the unattributed counts, in every state."""
    assert list(differences_of(batch, rows)) == []


@pytest.mark.parametrize(
    ("batch", "difference"),
    [
        (replace(RIGHT, tally=Tally(5, 3, 1)), ("succeeded_jobs", 5, 4)),
        (replace(RIGHT, tally=Tally(4, 2, 1)), ("failed_jobs", 2, 3)),
        (replace(RIGHT, tally=Tally(4, 3, 0)), ("skipped_jobs", 0, 1)),
        (replace(RIGHT, reconciled_jobs=2), ("reconciled_jobs", 2, 3)),
        (replace(COUNTED, reconciled_jobs=3), ("reconciled_jobs", 3, 5)),
        (
            replace(RIGHT, announced_jobs=7, state=BatchState.COMPLETED),
            ("jobs beyond the sealed total", 1, 0),
        ),
        (replace(RIGHT, announced_jobs=8), ("state", BatchState.PROCESSING, BatchState.COMPLETED)),
        (replace(RIGHT, state=BatchState.COMPLETED), ("pending_jobs of a completed batch", 2, 0)),
    ],
)
def test_a_wrong_number_is_named(batch: Batch, difference: tuple[str, int, int]) -> None:
    """A difference has the stored number and the expected one."""
    assert list(differences_of(batch, ROWS)) == [Difference("batch", *difference)]


def test_a_lost_count_is_found() -> None:
    """A lost unattributed count shows in its outcome and in the reconciled jobs."""
    lost = replace(COUNTED, unattributed=Tally(0, 0, 1))
    assert list(differences_of(lost, ROWS)) == [
        Difference("batch", "succeeded_jobs", 5, 4),
        Difference("batch", "reconciled_jobs", 5, 4),
    ]
