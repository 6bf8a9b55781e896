"""When too many failures cancel a batch."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Tally
from batches.errors import BatchConflict
from batches.failure_limit import CancelReason, FailureLimit
from batches.new_batch import Creation, NewBatch
from batches.repair import RepairPlan, repair
from tests.support.samples import BATCH, FAILED, SUCCEEDED, at, result, stored
from tests.unit.batches.reporting import recorded

LIMITED = replace(BATCH, failure_limit=FailureLimit(jobs=2), tally=Tally(3, 2), read_time=at(60))
"""Ten jobs, of which two may fail and have failed."""
GROWING = replace(LIMITED, sealed=False, failure_limit=FailureLimit(percent=20))
PLAN = RepairPlan("batch", revision=1)
CANCELLED_BY_LIMIT = (BatchState.CANCELLED, CancelReason.FAILURE_LIMIT, at(60))


def end_of(batch: Batch) -> tuple[BatchState, CancelReason | None, object]:
    """Return the state of a batch, why it is cancelled, and when it ended."""
    return batch.state, batch.cancel_reason, batch.complete_time


@pytest.mark.parametrize(
    ("limit", "failed", "total", "is_exceeded"),
    [
        (FailureLimit(jobs=50), 50, 1_000, False),
        (FailureLimit(jobs=50), 51, 1_000, True),
        (FailureLimit(jobs=0), 0, 0, False),
        (FailureLimit(jobs=0), 1, 1, True),
        (FailureLimit(percent=5), 50, 1_000, False),
        (FailureLimit(percent=5), 51, 1_000, True),
        (FailureLimit(percent=33), 33, 100, False),
        (FailureLimit(percent=33), 1, 3, True),
        (FailureLimit(percent=34), 1, 3, False),
        (FailureLimit(percent=0), 0, 0, False),
        (FailureLimit(percent=0), 1, 1_000_000_000, True),
        (FailureLimit(percent=99), 1, 1, True),
    ],
)
def test_limit_itself_is_allowed(limit: FailureLimit, failed: int, total: int, *, is_exceeded: bool) -> None:
    """One failure more exceeds it; a share is not rounded."""
    assert limit.is_exceeded(failed, total, is_final=True) is is_exceeded


def test_percentage_of_a_growing_total_is_not_looked_at() -> None:
    """The first failure of a batch that grows would be 100 percent."""
    assert not FailureLimit(percent=1).is_exceeded(5, 5, is_final=False)
    assert FailureLimit(jobs=1).is_exceeded(5, 5, is_final=False)


def test_one_failure_more_cancels_the_batch() -> None:
    """The end is part of the change that records the failure."""
    after = recorded(LIMITED, [result("more", FAILED)]).batches["batch"]
    assert end_of(after) == CANCELLED_BY_LIMIT
    assert (after.tally, after.revision) == (Tally(3, 3), LIMITED.revision + 1)


def test_success_at_the_limit_changes_nothing_else() -> None:
    after = recorded(LIMITED, [result("more")]).batches["batch"]
    assert end_of(after) == (BatchState.PROCESSING, None, None)


def test_last_job_that_exceeds_the_limit_cancels() -> None:
    """The limit is looked at before the completion."""
    batch = replace(LIMITED, tally=Tally(7, 2))
    assert end_of(recorded(batch, [result("last", FAILED)]).batches["batch"]) == CANCELLED_BY_LIMIT
    completed = recorded(batch, [result("last")]).batches["batch"]
    assert end_of(completed) == (BatchState.COMPLETED, None, at(60))


def test_failure_that_a_later_attempt_replaces_is_taken_off_before() -> None:
    """A group with a new failure and a successful retry of an earlier one stays at the limit."""
    group = [result("more", FAILED), result("job", SUCCEEDED, attempt=2)]
    after = recorded(LIMITED, group, stored("job", FAILED)).batches["batch"]
    assert (after.tally, after.state) == (Tally(4, 2), BatchState.PROCESSING)


def test_cancelled_batch_stays_cancelled_when_retries_succeed() -> None:
    """Its tallies go below the limit again; its end does not change."""
    cancelled = recorded(LIMITED, [result("job", FAILED)]).batches["batch"]
    after = recorded(cancelled, [result("job", attempt=2)], stored("job", FAILED)).batches["batch"]
    assert after.tally == Tally(4, 2)
    assert end_of(after) == CANCELLED_BY_LIMIT


def test_results_of_a_cancelled_batch_are_counted() -> None:
    cancelled = recorded(LIMITED, [result("more", FAILED)]).batches["batch"]
    after = recorded(cancelled, [result("late"), result("later", FAILED)]).batches["batch"]
    assert after.tally == Tally(4, 4)
    assert end_of(after) == CANCELLED_BY_LIMIT


def test_share_is_looked_at_when_the_batch_is_sealed() -> None:
    """Two of five jobs failed before the total was final: only a batch of ten or more may go on."""
    assert recorded(GROWING, [result("more", FAILED)]).batches["batch"].state is BatchState.PROCESSING
    assert end_of(replace(GROWING, announced_jobs=9).with_seal()) == CANCELLED_BY_LIMIT
    assert replace(GROWING, announced_jobs=10).with_seal().state is BatchState.PROCESSING


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: batch.with_seal(),
        lambda batch: batch.with_jobs_added(5),
        lambda batch: repair(batch, {}, PLAN).batches["batch"],
    ],
)
def test_failures_that_an_old_server_recorded_cancel_at_the_next_change(
    change: Callable[[Batch], Batch],
) -> None:
    """Old servers ignore the limit, so that a batch may exceed it and still be processing."""
    overdue = replace(LIMITED, sealed=False, tally=Tally(3, 5))
    after = change(overdue)
    assert end_of(after) == CANCELLED_BY_LIMIT
    assert after.revision == overdue.revision + 1


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, results=(result("more", FAILED),)),
        replace(PLAN, closes=True, total_jobs=10, unattributed=Tally(4, 1)),
        replace(PLAN, closes=True, total_jobs=6, results=(result("more", FAILED),)),
    ],
)
def test_repair_that_exceeds_the_limit_cancels(plan: RepairPlan) -> None:
    """Listed results count like reports, and so do results that a queue only counts."""
    assert end_of(repair(LIMITED, {}, plan).batches["batch"]) == CANCELLED_BY_LIMIT


def test_queue_that_cancelled_the_batch_is_the_reason_even_if_failures_exceed_the_limit() -> None:
    """The queue's end came first."""
    plan = replace(PLAN, closes=True, cancels=True, total_jobs=10, unattributed=Tally(0, 5))
    after = repair(LIMITED, {}, plan).batches["batch"]
    assert end_of(after) == (BatchState.CANCELLED, CancelReason.QUEUE, at(60))


def test_same_id_with_another_limit_is_a_conflict() -> None:
    """The error says what the existing batch has, also if it has no limit."""
    existing = Creation(1, 10, True, None, BatchState.PROCESSING, None, FailureLimit(percent=5))  # noqa: FBT003
    assert not NewBatch("b", 10, failure_limit=FailureLimit(percent=5)).replaces(existing)
    with pytest.raises(BatchConflict, match=r"sealed with 10 jobs and a limit of 5 % failed jobs$"):
        NewBatch("b", 10).replaces(existing)
    with pytest.raises(BatchConflict, match=r"sealed with 10 jobs and no limit of failed jobs$"):
        NewBatch("b", 10, failure_limit=FailureLimit(jobs=1)).replaces(replace(existing, failure_limit=None))
