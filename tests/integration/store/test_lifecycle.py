"""Extending, sealing and cancelling a batch."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from batches.batch import TOTAL_JOBS_MAX, BatchState, Tally
from batches.errors import (
    BatchCancelled,
    BatchCompleted,
    BatchNotFound,
    BatchSealed,
    RequestConflict,
    TotalTooLarge,
)
from batches.listing import ResultFilter
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import (
    create,
    differences,
    recorded,
    report,
    scalar,
)
from tests.support.samples import result, results


async def test_added_jobs_raise_the_total(store: BatchStore) -> None:
    """Each addition is one change."""
    await create(store, 10, sealed=False)
    await store.add_jobs("batch", 5, "one")
    batch = await store.add_jobs("batch", 7, "two")
    assert (batch.total_jobs, batch.revision) == (22, 3)


async def test_a_request_adds_its_jobs_once(store: BatchStore, other_store: BatchStore) -> None:
    """It is sent eight times concurrently, and once more later."""
    await create(store, 10, sealed=False)
    await asyncio.gather(*(one.add_jobs("batch", 5, "request") for one in [store, other_store] * 4))
    batch = await store.add_jobs("batch", 5, "request")
    assert (batch.total_jobs, batch.revision) == (15, 2)


async def test_request_ids_are_compared_byte_by_byte(store: BatchStore) -> None:
    """`r`, `R` and `r.` are three requests, and `r` of another batch is a fourth."""
    for batch_id in ("batch", "other"):
        await create(store, 0, batch_id, sealed=False)
    for request_id in ("r", "R", "r."):
        await store.add_jobs("batch", 1, request_id)
    assert (await store.get_batch("batch")).total_jobs == 3
    assert (await store.add_jobs("other", 1, "r")).total_jobs == 1


async def test_a_request_with_another_number_is_a_conflict(store: BatchStore) -> None:
    """A request_id stands for one number of jobs; the conflict adds nothing."""
    await create(store, 10, sealed=False)
    await store.add_jobs("batch", 5, "request")
    with pytest.raises(
        RequestConflict, match="request request of batch batch was already used: it added 5 jobs"
    ):
        await store.add_jobs("batch", 6, "request")
    assert (await store.get_batch("batch")).total_jobs == 15


async def test_a_request_repeated_after_the_seal_succeeds(store: BatchStore) -> None:
    """Its first answer may have been lost; a new request is refused."""
    await create(store, 10, sealed=False)
    await store.add_jobs("batch", 5, "request")
    await store.seal_batch("batch")
    assert (await store.add_jobs("batch", 5, "request")).total_jobs == 15
    with pytest.raises(BatchSealed):
        await store.add_jobs("batch", 5, "another")


async def test_jobs_cannot_be_added_to_a_cancelled_batch(store: BatchStore) -> None:
    """Its total is final."""
    await create(store, 10, sealed=False)
    await store.cancel_batch("batch")
    with pytest.raises(BatchCancelled):
        await store.add_jobs("batch", 5, "request")


async def test_a_refused_addition_does_not_use_its_request_id(store: BatchStore, database: Database) -> None:
    """The total would be larger than allowed."""
    await create(store, 10, sealed=False)
    with pytest.raises(TotalTooLarge):
        await store.add_jobs("batch", TOTAL_JOBS_MAX, "request")
    assert await scalar(database, "SELECT COUNT(*) FROM job_additions") == 0
    assert (await store.add_jobs("batch", TOTAL_JOBS_MAX - 10, "request")).total_jobs == TOTAL_JOBS_MAX


async def test_sealing_is_one_change(store: BatchStore) -> None:
    """Sealing again changes nothing."""
    await create(store, 10, sealed=False)
    sealed = await store.seal_batch("batch")
    again = await store.seal_batch("batch")
    assert (sealed.sealed, sealed.revision, again.revision) == (True, 2, 2)


async def test_sealing_after_the_last_result_completes_the_batch(store: BatchStore) -> None:
    """This holds even if more jobs were reported than announced."""
    await create(store, 1, sealed=False)
    await report(store, *results(3))
    batch = await store.seal_batch("batch")
    assert (batch.state, batch.total_jobs, batch.percent_complete) == (BatchState.COMPLETED, 3, 100)


@pytest.mark.parametrize("attempt", range(5))
async def test_a_concurrent_seal_and_last_result_complete_the_batch(
    store: BatchStore, other_store: BatchStore, attempt: int
) -> None:
    """The one that commits second completes it."""
    await create(store, 10, sealed=False)
    await report(store, *results(9))
    steps: list[Awaitable[object]] = [other_store.seal_batch("batch"), report(store, result("last"))]
    await asyncio.gather(*(steps if attempt % 2 else reversed(steps)))
    batch = await store.get_batch("batch")
    assert (batch.state, batch.tally.ended, batch.revision) == (BatchState.COMPLETED, 10, 4)


async def test_cancelling_is_one_change(store: BatchStore) -> None:
    """Cancelling again changes nothing."""
    await create(store, 10)
    cancelled = await store.cancel_batch("batch")
    again = await store.cancel_batch("batch")
    assert (cancelled.state, cancelled.revision, again.revision) == (BatchState.CANCELLED, 2, 2)
    assert cancelled.complete_time == again.complete_time is not None


async def test_late_results_of_a_cancelled_batch_are_counted(store: BatchStore) -> None:
    """The batch stays CANCELLED even after the last result."""
    await create(store, 2)
    await store.cancel_batch("batch")
    await report(store, *results(2))
    batch = await store.get_batch("batch")
    assert (batch.state, batch.tally, batch.revision) == (BatchState.CANCELLED, Tally(2), 3)
    assert len(await recorded(store)) == 2
    assert await differences(store) == []


async def test_a_completed_batch_cannot_be_cancelled(store: BatchStore) -> None:
    """COMPLETED is final."""
    await create(store, 0)
    with pytest.raises(BatchCompleted):
        await store.cancel_batch("batch")


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get_batch("unknown"),
        lambda store: store.add_jobs("unknown", 1, "request"),
        lambda store: store.seal_batch("unknown"),
        lambda store: store.cancel_batch("unknown"),
        lambda store: store.list_results("unknown", ResultFilter(), after_job_id=None, size=10),
        lambda store: store.list_failure_groups("unknown", after=0, size=10),
        lambda store: store.list_repairs("unknown", before_key=None, size=10),
        lambda store: store.write_repair(RepairPlan("unknown", 1, "reason")),
    ],
)
async def test_an_unknown_batch_is_not_found(
    store: BatchStore, call: Callable[[BatchStore], Awaitable[object]]
) -> None:
    """Every operation raises the same error."""
    await create(store, 1, "UNKNOWN")
    with pytest.raises(BatchNotFound, match="there is no batch unknown"):
        await call(store)
