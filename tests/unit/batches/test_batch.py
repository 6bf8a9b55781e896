"""The counters of a batch, and how its states change."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from batches.batch import TOTAL_JOBS_MAX, Batch, BatchState, Tally
from batches.errors import BatchCancelled, BatchCompleted, BatchSealed, TotalTooLarge
from batches.failure_limit import CancelReason
from batches.result import JobOutcome
from tests.support.samples import BATCH, at

UNSEALED = replace(BATCH, sealed=False)
CANCELLED = replace(BATCH, state=BatchState.CANCELLED, complete_time=at(0))
COMPLETED = replace(BATCH, tally=Tally(10), state=BatchState.COMPLETED, complete_time=at(0))


@pytest.mark.parametrize(
    ("announced_jobs", "ended", "sealed", "percent"),
    [
        (1037, 0, True, 0),
        (1037, 10, True, 0),
        (1037, 11, True, 1),
        (1037, 1030, True, 99),
        (1037, 1036, True, 99),
        (1037, 1037, True, 100),
        (1037, 1037, False, 99),
        (1037, 1036, False, 99),
        (3, 2, True, 66),
        (1, 0, True, 0),
        (1, 1, True, 100),
        (0, 0, True, 100),
        (0, 0, False, 0),
        (5, 8, False, 99),
        (TOTAL_JOBS_MAX, TOTAL_JOBS_MAX - 1, True, 99),
    ],
)
def test_percent_is_rounded_down(announced_jobs: int, ended: int, *, sealed: bool, percent: int) -> None:
    """The percentage is 100 only if the batch is sealed and nothing is pending."""
    batch = replace(BATCH, announced_jobs=announced_jobs, sealed=sealed, tally=Tally(ended))
    assert batch.percent_complete == percent


@pytest.mark.parametrize("tally", [Tally(4, 2, 1), Tally(0, 10, 0), Tally(0, 0, 3), Tally()])
def test_ended_and_pending_jobs_add_up_to_the_total(tally: Tally) -> None:
    """Each job is counted once: by its outcome, or as pending."""
    batch = replace(BATCH, tally=tally)
    assert tally.succeeded + tally.failed + tally.skipped + batch.pending_jobs == batch.total_jobs == 10


@pytest.mark.parametrize(("announced_jobs", "total_jobs"), [(5, 8), (8, 8), (9, 9)])
def test_an_unsealed_total_follows_the_reports(announced_jobs: int, total_jobs: int) -> None:
    """The total of an unsealed batch is the larger of the announced and the reported number of jobs."""
    batch = replace(UNSEALED, announced_jobs=announced_jobs, tally=Tally(6, 1, 1))
    assert (batch.total_jobs, batch.pending_jobs) == (total_jobs, total_jobs - 8)


def test_tallies_are_added_per_outcome() -> None:
    """Tallies are added and read per outcome."""
    assert Tally(1, 2, 3) + Tally(10, 20, 30) == Tally(11, 22, 33)
    assert [Tally(1, 2, 3).of(outcome) for outcome in JobOutcome] == [1, 2, 3]
    assert Tally(1, 2, 3).ended == 6


def test_adding_jobs_is_one_change() -> None:
    """Added jobs raise the announced number and the revision."""
    grown = UNSEALED.with_jobs_added(5)
    assert grown == replace(UNSEALED, announced_jobs=15, revision=2)


def test_added_jobs_include_those_already_reported() -> None:
    """Jobs that were reported before they were announced are not counted twice."""
    early = replace(UNSEALED, announced_jobs=0, tally=Tally(8))
    assert early.with_jobs_added(10).total_jobs == 10


@pytest.mark.parametrize(
    ("batch", "additional_jobs", "error"),
    [
        (BATCH, 1, BatchSealed),
        (COMPLETED, 1, BatchSealed),
        (CANCELLED, 1, BatchCancelled),
        (replace(CANCELLED, sealed=False), 1, BatchCancelled),
        (UNSEALED, TOTAL_JOBS_MAX - 9, TotalTooLarge),
    ],
)
def test_jobs_cannot_be_added_to_a_sealed_cancelled_or_full_batch(
    batch: Batch, additional_jobs: int, error: type[Exception]
) -> None:
    """Each case has its own error."""
    with pytest.raises(error, match="batch batch "):
        batch.with_jobs_added(additional_jobs)


def test_the_largest_total_is_allowed() -> None:
    """The limit itself is not an error."""
    assert UNSEALED.with_jobs_added(TOTAL_JOBS_MAX - 10).total_jobs == TOTAL_JOBS_MAX


def test_sealing_makes_the_total_final() -> None:
    """A sealed batch with pending jobs continues, with the next revision."""
    assert UNSEALED.with_seal() == replace(BATCH, revision=2)


def test_sealing_includes_all_reported_jobs_in_the_total() -> None:
    """Jobs reported beyond the announced number are part of the final total."""
    sealed = replace(UNSEALED, announced_jobs=5, tally=Tally(8)).with_seal()
    assert (sealed.announced_jobs, sealed.total_jobs, sealed.state) == (8, 8, BatchState.COMPLETED)


@pytest.mark.parametrize("ended", [0, 10])
def test_sealing_completes_a_batch_without_pending_jobs(ended: int) -> None:
    """The seal and the completion are one change."""
    batch = replace(UNSEALED, announced_jobs=ended, tally=Tally(0, ended), read_time=at(60))
    sealed = batch.with_seal()
    assert (sealed.state, sealed.complete_time, sealed.revision) == (BatchState.COMPLETED, at(60), 2)


def test_cancelling_keeps_the_counters() -> None:
    """A cancelled batch keeps its total, its tallies and its pending jobs."""
    batch = replace(BATCH, tally=Tally(3, 1), read_time=at(60))
    cancelled = batch.with_cancellation()
    assert cancelled == replace(
        batch,
        state=BatchState.CANCELLED,
        cancel_reason=CancelReason.REQUESTED,
        complete_time=at(60),
        revision=2,
    )
    assert cancelled.pending_jobs == 6


def test_a_completed_batch_cannot_be_cancelled() -> None:
    """COMPLETED is final."""
    with pytest.raises(BatchCompleted, match="batch batch has completed"):
        COMPLETED.with_cancellation()


@pytest.mark.parametrize(
    ("batch", "change"),
    [
        (BATCH, Batch.with_seal),
        (COMPLETED, Batch.with_seal),
        (CANCELLED, Batch.with_seal),
        (replace(CANCELLED, sealed=False), Batch.with_seal),
        (CANCELLED, Batch.with_cancellation),
        (BATCH, Batch.with_end),
        (replace(UNSEALED, tally=Tally(10)), Batch.with_end),
        (replace(CANCELLED, tally=Tally(10)), Batch.with_end),
        (COMPLETED, Batch.with_end),
    ],
)
def test_a_repeated_change_returns_the_same_object(batch: Batch, change: Callable[[Batch], Batch]) -> None:
    """The store then writes nothing."""
    assert change(batch) is batch


@pytest.mark.parametrize("change", [Batch.with_end, Batch.with_cancellation])
def test_a_batch_never_ends_before_its_last_result(change: Callable[[Batch], Batch]) -> None:
    """A batch that was read before another commit ends no earlier than that commit."""
    batch = replace(BATCH, last_result_time=at(0.5), read_time=at(0.2))
    if change is Batch.with_end:
        batch = replace(batch, tally=Tally(10))
    assert change(batch).complete_time == at(0.5)
