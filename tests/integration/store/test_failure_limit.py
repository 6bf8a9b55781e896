"""A failure limit is kept with its batch, and its end is part of the transaction that exceeds it."""

import pytest
from sqlalchemy import update

from batches.batch import Batch, BatchState, Tally
from batches.failure_limit import CancelReason, FailureLimit
from batches.new_batch import NewBatch
from batches.repair import RepairPlan
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import differences
from tests.support.samples import FAILED, WORKER, result

JOBS_2 = FailureLimit(jobs=2)


async def fail(store: BatchStore, *job_ids: str) -> Batch:
    """Report failures in one group; return the batch after it."""
    recording = await store.record_results([result(job_id, FAILED) for job_id in job_ids], WORKER)
    return recording.batches["batch"]


@pytest.mark.parametrize("limit", [JOBS_2, FailureLimit(jobs=0), FailureLimit(percent=0), None])
async def test_limit_is_kept(store: BatchStore, limit: FailureLimit | None) -> None:
    """Zero is a limit; none is none."""
    created = await store.create_batch(NewBatch("batch", 10, failure_limit=limit))
    assert created.failure_limit == (await store.get_batch("batch")).failure_limit == limit
    assert (await store.create_batch(NewBatch("batch", 10, failure_limit=limit))).revision == 1


async def test_end_by_the_limit_is_kept_with_its_reason(store: BatchStore) -> None:
    await store.create_batch(NewBatch("batch", 10, failure_limit=JOBS_2))
    assert (await fail(store, "a", "b")).state is BatchState.PROCESSING
    answered = await fail(store, "c")
    batch = await store.get_batch("batch")
    assert (batch.state, batch.cancel_reason) == (BatchState.CANCELLED, CancelReason.FAILURE_LIMIT)
    assert (answered.state, answered.revision) == (batch.state, batch.revision)
    assert batch.complete_time == batch.last_result_time
    assert (await fail(store, "late")).tally == Tally(0, 4)
    assert await differences(store) == []


async def test_group_with_a_batch_within_its_limit_ends_only_the_other(store: BatchStore) -> None:
    """One statement saves both."""
    for batch_id in ("batch", "other"):
        await store.create_batch(NewBatch(batch_id, 10, failure_limit=JOBS_2))
    group = [result(f"job-{number}", FAILED) for number in range(3)]
    await store.record_results([*group, result("job", FAILED, batch_id="other")], WORKER)
    other = await store.get_batch("other")
    assert (other.state, other.cancel_reason) == (BatchState.PROCESSING, None)
    assert (await store.get_batch("batch")).cancel_reason is CancelReason.FAILURE_LIMIT


async def test_seal_applies_a_percentage(store: BatchStore) -> None:
    limit = FailureLimit(percent=20)
    await store.create_batch(NewBatch("batch", 0, sealed=False, failure_limit=limit))
    assert (await fail(store, "a", "b")).state is BatchState.PROCESSING
    await store.add_jobs("batch", 9, "all")
    assert (await store.seal_batch("batch")).cancel_reason is CancelReason.FAILURE_LIMIT
    assert (await store.get_batch("batch")).cancel_reason is CancelReason.FAILURE_LIMIT


async def test_reasons_of_other_cancellations_are_kept(store: BatchStore) -> None:
    for batch_id in ("requested", "queue"):
        await store.create_batch(NewBatch(batch_id, 1))
    await store.cancel_batch("requested")
    await store.write_repair(
        RepairPlan("queue", 1, closes=True, total_jobs=1, unattributed=Tally(skipped=1), cancels=True)
    )
    assert (await store.get_batch("requested")).cancel_reason is CancelReason.REQUESTED
    assert (await store.get_batch("queue")).cancel_reason is CancelReason.QUEUE


async def test_batch_that_an_old_server_cancelled_has_no_reason(
    store: BatchStore, database: Database
) -> None:
    """A late result does not invent one."""
    await store.create_batch(NewBatch("batch", 2))
    async with database.engine.begin() as connection:
        await connection.execute(update(schema.batches).values(state=int(BatchState.CANCELLED)))
    assert (await fail(store, "late")).cancel_reason is None
    batch = await store.get_batch("batch")
    assert (batch.state, batch.cancel_reason, batch.tally) == (BatchState.CANCELLED, None, Tally(0, 1))
