"""Batches with a failure limit: what a pass records may exceed it, and what old servers have ignored."""

import pytest
from sqlalchemy import update

from batches.batch import Batch, BatchState, Tally
from batches.failure_limit import CancelReason, FailureLimit
from batches.result import JobOutcome
from batches.store import schema
from reconciler.queue.reader import RESULTS_MAX
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch

LIMIT = FailureLimit(jobs=2)


async def assert_cancelled_by_limit(scene: Scene, tally: Tally) -> Batch:
    """Fail unless the limit has cancelled the batch with this tally; return it."""
    batch = await scene.store.get_batch("batch")
    assert (batch.state, batch.cancel_reason) == (BatchState.CANCELLED, CancelReason.FAILURE_LIMIT)
    assert batch.tally == tally
    assert await scene.differences() == []
    return batch


@pytest.mark.parametrize("lists_jobs", [True, False])
async def test_failures_that_only_the_queue_knows_cancel_the_batch(scene: Scene, *, lists_jobs: bool) -> None:
    """The last results exceed the limit: the batch is cancelled, not completed. Another pass leaves it."""
    in_queue = FakeBatch(jobs(10, failed=3), lists_jobs=lists_jobs)
    await scene.batch("batch", in_queue, jobs(10, failed=3)[3:], failure_limit=LIMIT)
    report = await scene.run()
    assert (report.summary.cancelled, report.summary.completed, report.summary.is_clean) == (1, 0, True)
    batch = await assert_cancelled_by_limit(scene, Tally(7, 3))
    await scene.run(all_batches=True)
    assert (await scene.store.get_batch("batch")).version == batch.version


async def test_failures_while_other_jobs_run_cancel_the_batch(scene: Scene) -> None:
    """It does not stay open for the jobs that are pending, and the report does not say that it does."""
    await scene.batch("batch", FakeBatch(jobs(10, pending=4, failed=3)), failure_limit=LIMIT)
    report = await scene.run()
    assert (report.summary.cancelled, report.summary.left) == (1, {})
    assert (await assert_cancelled_by_limit(scene, Tally(3, 3))).pending_jobs == 4


@pytest.mark.parametrize("in_queue", [None, FakeBatch(jobs(5, pending=2, failed=3))])
async def test_failures_that_an_old_server_recorded_cancel_the_batch(
    scene: Scene, in_queue: FakeBatch | None
) -> None:
    """Whatever the queue says: the limit was exceeded before."""
    await scene.batch("batch", FakeBatch(jobs(5)), jobs(5, failed=3)[:3])
    async with scene.database.engine.begin() as connection:  # servers of earlier versions ignore the column
        await connection.execute(update(schema.batches).values(failure_limit_jobs=LIMIT.jobs))
    if in_queue is None:
        del scene.queue.batches["batch"]
    else:
        scene.queue.batches["batch"] = in_queue
    dry = await scene.run(dry_run=True)
    assert (dry.summary.cancelled, (await scene.store.get_batch("batch")).state) == (1, BatchState.PROCESSING)
    report = await scene.run()
    assert (report.summary.cancelled, report.summary.is_clean) == (1, True)
    await assert_cancelled_by_limit(scene, Tally(0, 3))
    (repair,) = (await scene.store.list_repairs("batch", before_key=None, size=10)).items
    assert repair.reason == "3 jobs failed, more than the batch's failure limit allows"


async def test_person_who_ends_a_batch_with_failures_may_exceed_the_limit(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=3)), jobs(10)[3:], failure_limit=LIMIT)
    report = await scene.run(batch_id="batch", end_pending_as=JobOutcome.FAILED)
    assert (report.summary.cancelled, report.summary.completed) == (1, 0)
    await assert_cancelled_by_limit(scene, Tally(7, 3))


@pytest.mark.more("records 10,000 results")
async def test_first_portion_that_exceeds_the_limit_ends_the_repair(scene: Scene) -> None:
    """The results of further portions stay pending, as those of any cancelled batch that nobody reports."""
    in_queue = FakeBatch(jobs(RESULTS_MAX + 10, failed=3))
    await scene.batch("batch", in_queue, failure_limit=LIMIT)
    report = await scene.run()
    assert (report.summary.cancelled, report.summary.left, report.summary.is_clean) == (1, {}, True)
    batch = await scene.store.get_batch("batch")
    assert (batch.cancel_reason, batch.tally.failed) == (CancelReason.FAILURE_LIMIT, 3)
    assert 0 < batch.pending_jobs <= RESULTS_MAX
