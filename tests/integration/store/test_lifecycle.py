"""Creating, growing, sealing and cancelling a batch."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import TOTAL_JOBS_MAX, Batch, BatchState, NewBatch, Tally
from batches.errors import (
    BatchCancelled,
    BatchCompleted,
    BatchConflict,
    BatchNotFound,
    BatchSealed,
    RequestConflict,
    TotalTooLarge,
)
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.rows import insert_batch
from batches.store.sql_functions import database_now
from tests.integration.store.steps import (
    create,
    differences,
    on_servers,
    recorded,
    report,
    scalar,
    wait_until_blocked,
)
from tests.support.samples import BATCH, WORKER, result, results

NEW = NewBatch("batch", 10, display_name="A name: ü 🎉", labels={"team": "sync", "env": "prod"})


def moment_removed(batch: Batch) -> Batch:
    """Return the batch without the time it was read at."""
    return replace(batch, read_time=batch.create_time)


async def test_a_new_batch(store: BatchStore) -> None:
    """A batch begins as it was asked for, with revision 1, by the database's clock."""
    batch = await store.create_batch(NEW)
    assert (batch.batch_id, batch.display_name, batch.labels) == ("batch", NEW.display_name, NEW.labels)
    assert (batch.total_jobs, batch.sealed, batch.state) == (10, True, BatchState.PROCESSING)
    assert (batch.tally, batch.reconciled_jobs, batch.revision) == (Tally(), 0, 1)
    assert (batch.first_result_time, batch.last_result_time, batch.complete_time) == (None, None, None)


async def test_times_are_the_databases(store: BatchStore, database: Database) -> None:
    """The creation lies between two looks at the database's clock, whatever this machine's clock says."""
    before, batch, after = await _now(database), await create(store, 1), await _now(database)
    assert before <= batch.create_time <= batch.read_time <= after


async def test_a_batch_is_read_as_it_was_written(store: BatchStore) -> None:
    """What a change returns is what is read afterwards."""
    created = await store.create_batch(NEW)
    assert moment_removed(await store.get_batch("batch")) == moment_removed(created)
    recording = await store.record_results([result("a")], WORKER)
    assert moment_removed(await store.get_batch("batch")) == moment_removed(recording.batches["batch"])
    cancelled = await store.cancel_batch("batch")
    assert moment_removed(await store.get_batch("batch")) == moment_removed(cancelled)


async def test_a_sealed_batch_without_jobs_completes_at_once(store: BatchStore) -> None:
    """Nothing is pending and nothing can come: it is COMPLETED with revision 1."""
    batch = await create(store, 0)
    assert (batch.state, batch.revision, batch.percent_complete) == (BatchState.COMPLETED, 1, 100)
    assert batch.complete_time == batch.create_time


async def test_an_unsealed_batch_without_jobs_waits(store: BatchStore) -> None:
    """Jobs may still be added to it."""
    assert (await create(store, 0, sealed=False)).state is BatchState.PROCESSING


async def test_the_largest_values_fit(store: BatchStore) -> None:
    """Ids of 128 characters, names and labels of 200 emoji and a billion jobs are kept whole."""
    labels = {f"{index:02}" + "k" * 61: "🎉" * 200 for index in range(32)}
    new = NewBatch("~" * 128, TOTAL_JOBS_MAX, display_name="🎉" * 200, labels=labels)
    await store.create_batch(new)
    batch = await store.get_batch(new.batch_id)
    assert (batch.batch_id, batch.display_name, batch.labels) == (new.batch_id, new.display_name, labels)
    assert batch.total_jobs == TOTAL_JOBS_MAX


async def test_creating_again_returns_the_batch_as_it_is(store: BatchStore) -> None:
    """The same id and numbers as at the creation: nothing changes, name and labels stay the first ones."""
    await store.create_batch(replace(NEW, sealed=False))
    await store.add_jobs("batch", 5, "request")
    await report(store, result("a"))
    before = await store.seal_batch("batch")
    again = await store.create_batch(replace(NEW, sealed=False, display_name="other", labels={}))
    assert moment_removed(again) == moment_removed(before)
    assert (again.total_jobs, again.sealed, again.revision) == (15, True, 4)


@pytest.mark.parametrize(("total_jobs", "sealed"), [(11, True), (10, False), (0, True)])
async def test_creating_with_other_numbers_is_a_conflict(
    store: BatchStore,
    total_jobs: int,
    sealed: bool,  # noqa: FBT001
) -> None:
    """The same id with another total or seal is refused, and the sentence says what exists."""
    await store.create_batch(NEW)
    with pytest.raises(BatchConflict, match="batch batch already exists: it was created sealed with 10 jobs"):
        await create(store, total_jobs, sealed=sealed)


async def test_ids_are_compared_byte_for_byte(store: BatchStore) -> None:
    """Ids that differ in case or in trailing characters only are different batches."""
    ids = ["a", "A", "aa", "a.", "a_", "a-", "a~", "a!", ".a", "b"]
    keys = {(await create(store, number, batch_id)).batch_key for number, batch_id in enumerate(ids)}
    assert len(keys) == len(ids)
    assert [(await store.get_batch(batch_id)).total_jobs for batch_id in ids] == list(range(len(ids)))


async def test_creators_at_once(store: BatchStore, other_store: BatchStore, database: Database) -> None:
    """Sixteen creators of one batch on two replicas all get the same one."""
    created = await asyncio.gather(*(create(one, 10) for one in [store, other_store] * 8))
    assert len({batch.batch_key for batch in created}) == 1
    assert await scalar(database, "SELECT COUNT(*) FROM batches") == 1


async def test_creators_at_once_with_other_numbers(store: BatchStore, other_store: BatchStore) -> None:
    """One creator's numbers win; those with the same numbers get the batch, all others the conflict."""
    outcomes = await asyncio.gather(
        *(create(one, total) for one in (store, other_store) for total in (1, 2, 3)), return_exceptions=True
    )
    batches = [one for one in outcomes if isinstance(one, Batch)]
    assert len(batches) == 2
    assert batches[0].total_jobs == batches[1].total_jobs == (await store.get_batch("batch")).total_jobs
    assert [type(one) for one in outcomes if not isinstance(one, Batch)] == [BatchConflict] * 4


@on_servers
async def test_creators_who_wait_for_one_that_gives_up(
    store: BatchStore, database: Database, other_database: Database
) -> None:
    """Those who waited for its insert deadlock with each other; the retry is not seen by anybody."""
    async with other_database.engine.connect() as connection:
        await insert_batch(connection, BATCH)
        waiting = [asyncio.create_task(create(store, 10)) for _ in range(3)]
        await wait_until_blocked(database, 3)
        await connection.rollback()
        created = await asyncio.gather(*waiting)
    assert len({batch.batch_key for batch in created}) == 1


async def test_added_jobs_raise_the_total(store: BatchStore) -> None:
    """Each addition is one change of an unsealed batch."""
    await create(store, 10, sealed=False)
    await store.add_jobs("batch", 5, "one")
    batch = await store.add_jobs("batch", 7, "two")
    assert (batch.total_jobs, batch.revision) == (22, 3)


async def test_a_request_adds_once(store: BatchStore, other_store: BatchStore) -> None:
    """The same request, sent eight times at once and once more later, adds its jobs once."""
    await create(store, 10, sealed=False)
    await asyncio.gather(*(one.add_jobs("batch", 5, "request") for one in [store, other_store] * 4))
    batch = await store.add_jobs("batch", 5, "request")
    assert (batch.total_jobs, batch.revision) == (15, 2)


async def test_request_ids_are_compared_byte_for_byte(store: BatchStore) -> None:
    """`r`, `R` and `r.` are three requests, and `r` of another batch is a fourth."""
    for batch_id in ("batch", "other"):
        await create(store, 0, batch_id, sealed=False)
    for request_id in ("r", "R", "r."):
        await store.add_jobs("batch", 1, request_id)
    assert (await store.get_batch("batch")).total_jobs == 3
    assert (await store.add_jobs("other", 1, "r")).total_jobs == 1


async def test_a_request_with_another_number_is_a_conflict(store: BatchStore) -> None:
    """A request_id names one addition: with another number it is refused and adds nothing."""
    await create(store, 10, sealed=False)
    await store.add_jobs("batch", 5, "request")
    with pytest.raises(
        RequestConflict, match="request request of batch batch was already used: it added 5 jobs"
    ):
        await store.add_jobs("batch", 6, "request")
    assert (await store.get_batch("batch")).total_jobs == 15


async def test_a_request_sent_again_after_the_seal(store: BatchStore) -> None:
    """Its answer was lost, it was carried out: it is answered with the batch, while a new one is refused."""
    await create(store, 10, sealed=False)
    await store.add_jobs("batch", 5, "request")
    await store.seal_batch("batch")
    assert (await store.add_jobs("batch", 5, "request")).total_jobs == 15
    with pytest.raises(BatchSealed):
        await store.add_jobs("batch", 5, "another")


async def test_no_jobs_for_a_cancelled_batch(store: BatchStore) -> None:
    """A cancelled batch takes no more jobs, and the request may be used again elsewhere."""
    await create(store, 10, sealed=False)
    await store.cancel_batch("batch")
    with pytest.raises(BatchCancelled):
        await store.add_jobs("batch", 5, "request")


async def test_a_refused_addition_leaves_nothing(store: BatchStore, database: Database) -> None:
    """More jobs than a batch may have are refused, and the request_id stays unused."""
    await create(store, 10, sealed=False)
    with pytest.raises(TotalTooLarge):
        await store.add_jobs("batch", TOTAL_JOBS_MAX, "request")
    assert await scalar(database, "SELECT COUNT(*) FROM job_additions") == 0
    assert (await store.add_jobs("batch", TOTAL_JOBS_MAX - 10, "request")).total_jobs == TOTAL_JOBS_MAX


async def test_sealing(store: BatchStore) -> None:
    """A seal is one change; sealing again is none."""
    await create(store, 10, sealed=False)
    sealed = await store.seal_batch("batch")
    again = await store.seal_batch("batch")
    assert (sealed.sealed, sealed.revision, again.revision) == (True, 2, 2)


async def test_sealing_after_the_last_result_completes(store: BatchStore) -> None:
    """All that were announced or reported have ended: the seal completes the batch."""
    await create(store, 1, sealed=False)
    await report(store, *results(3))
    batch = await store.seal_batch("batch")
    assert (batch.state, batch.total_jobs, batch.percent_complete) == (BatchState.COMPLETED, 3, 100)


@pytest.mark.parametrize("attempt", range(5))
async def test_the_seal_and_the_last_result_at_once(
    store: BatchStore, other_store: BatchStore, attempt: int
) -> None:
    """Whichever comes first, the other completes the batch."""
    await create(store, 10, sealed=False)
    await report(store, *results(9))
    steps: list[Awaitable[object]] = [other_store.seal_batch("batch"), report(store, result("last"))]
    await asyncio.gather(*(steps if attempt % 2 else reversed(steps)))
    batch = await store.get_batch("batch")
    assert (batch.state, batch.tally.ended, batch.revision) == (BatchState.COMPLETED, 10, 4)


async def test_cancelling(store: BatchStore) -> None:
    """A cancellation ends the batch in one change; cancelling again is none."""
    await create(store, 10)
    cancelled = await store.cancel_batch("batch")
    again = await store.cancel_batch("batch")
    assert (cancelled.state, cancelled.revision, again.revision) == (BatchState.CANCELLED, 2, 2)
    assert cancelled.complete_time == again.complete_time is not None


async def test_late_results_of_a_cancelled_batch(store: BatchStore) -> None:
    """They are recorded and counted, and the batch stays CANCELLED to the last one."""
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
        lambda store: store.list_results("unknown", outcome=None, after_job_id=None, size=10),
        lambda store: store.list_failure_groups("unknown"),
        lambda store: store.list_repairs("unknown", before_key=None, size=10),
        lambda store: store.write_repair(RepairPlan("unknown", 1, "reason")),
    ],
)
async def test_an_unknown_batch(store: BatchStore, call: Callable[[BatchStore], Awaitable[object]]) -> None:
    """Whatever is asked of it, the sentence is that there is no such batch."""
    await create(store, 1, "UNKNOWN")
    with pytest.raises(BatchNotFound, match="there is no batch unknown"):
        await call(store)


async def _now(database: Database) -> datetime:
    async def look(connection: AsyncConnection) -> datetime:
        now: datetime = (await connection.execute(select(database_now()))).scalar_one()
        return now

    return await database.read(look)
