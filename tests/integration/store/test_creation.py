"""Creating a batch."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from batches.batch import TOTAL_JOBS_MAX, Batch, BatchState, Tally
from batches.errors import (
    BatchConflict,
)
from batches.new_batch import NewBatch
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.rows import insert_batch
from batches.store.sql_functions import database_now
from tests.integration.store.steps import (
    create,
    on_servers,
    report,
    scalar,
    wait_until_blocked,
)
from tests.support.samples import BATCH, WORKER, result

NEW = NewBatch("batch", 10, display_name="A name: ü 🎉", labels={"team": "sync", "env": "prod"})


def without_read_time(batch: Batch) -> Batch:
    """Return the batch without the time at which it was read."""
    return replace(batch, read_time=batch.create_time)


async def test_a_new_batch_has_the_requested_values(store: BatchStore) -> None:
    """Its revision is 1."""
    batch = await store.create_batch(NEW)
    assert (batch.batch_id, batch.display_name, batch.labels) == ("batch", NEW.display_name, NEW.labels)
    assert (batch.total_jobs, batch.sealed, batch.state) == (10, True, BatchState.PROCESSING)
    assert (batch.tally, batch.reconciled_jobs, batch.revision) == (Tally(), 0, 1)
    assert (batch.first_result_time, batch.last_result_time, batch.complete_time) == (None, None, None)


async def test_the_creation_time_is_the_databases(store: BatchStore, database: Database) -> None:
    """It lies between two readings of the database's clock."""
    before, batch, after = await _now(database), await create(store, 1), await _now(database)
    assert before <= batch.create_time <= batch.read_time <= after


async def test_a_batch_is_read_as_it_was_written(store: BatchStore) -> None:
    """A change returns what is read afterwards."""
    created = await store.create_batch(NEW)
    assert without_read_time(await store.get_batch("batch")) == without_read_time(created)
    recording = await store.record_results([result("a")], WORKER)
    assert without_read_time(await store.get_batch("batch")) == without_read_time(recording.batches["batch"])
    cancelled = await store.cancel_batch("batch")
    assert without_read_time(await store.get_batch("batch")) == without_read_time(cancelled)


async def test_a_sealed_batch_without_jobs_completes_at_once(store: BatchStore) -> None:
    """Its revision is 1."""
    batch = await create(store, 0)
    assert (batch.state, batch.revision, batch.percent_complete) == (BatchState.COMPLETED, 1, 100)
    assert batch.complete_time == batch.create_time


async def test_an_unsealed_batch_without_jobs_does_not_complete(store: BatchStore) -> None:
    """Jobs may still be added to it."""
    assert (await create(store, 0, sealed=False)).state is BatchState.PROCESSING


async def test_the_largest_values_fit(store: BatchStore) -> None:
    """Ids of 128 characters, names and labels of 200 emoji and a billion jobs are stored unchanged."""
    labels = {f"{index:02}" + "k" * 61: "🎉" * 200 for index in range(32)}
    new = NewBatch("~" * 128, TOTAL_JOBS_MAX, display_name="🎉" * 200, labels=labels)
    await store.create_batch(new)
    batch = await store.get_batch(new.batch_id)
    assert (batch.batch_id, batch.display_name, batch.labels) == (new.batch_id, new.display_name, labels)
    assert batch.total_jobs == TOTAL_JOBS_MAX


async def test_creating_a_batch_again_changes_nothing(store: BatchStore) -> None:
    """The first name and labels stay."""
    await store.create_batch(replace(NEW, sealed=False))
    await store.add_jobs("batch", 5, "request")
    await report(store, result("a"))
    before = await store.seal_batch("batch")
    again = await store.create_batch(replace(NEW, sealed=False, display_name="other", labels={}))
    assert without_read_time(again) == without_read_time(before)
    assert (again.total_jobs, again.sealed, again.revision) == (15, True, 4)


@pytest.mark.parametrize(("total_jobs", "sealed"), [(11, True), (10, False), (0, True)])
async def test_creating_with_other_numbers_is_a_conflict(
    store: BatchStore,
    total_jobs: int,
    *,
    sealed: bool,
) -> None:
    """The error says with which numbers the batch was created."""
    await store.create_batch(NEW)
    with pytest.raises(BatchConflict, match="batch batch already exists: it was created sealed with 10 jobs"):
        await create(store, total_jobs, sealed=sealed)


async def test_ids_are_compared_byte_by_byte(store: BatchStore) -> None:
    """Ids that differ only in case or in trailing characters are different batches."""
    ids = ["a", "A", "aa", "a.", "a_", "a-", "a~", "a!", ".a", "b"]
    keys = {(await create(store, number, batch_id)).batch_key for number, batch_id in enumerate(ids)}
    assert len(keys) == len(ids)
    assert [(await store.get_batch(batch_id)).total_jobs for batch_id in ids] == list(range(len(ids)))


async def test_concurrent_creations_make_one_batch(
    store: BatchStore, other_store: BatchStore, database: Database
) -> None:
    """Sixteen callers on two replicas get the same batch."""
    created = await asyncio.gather(*(create(one, 10) for one in [store, other_store] * 8))
    assert len({batch.batch_key for batch in created}) == 1
    assert await scalar(database, "SELECT COUNT(*) FROM batches") == 1


async def test_concurrent_creations_with_other_numbers_are_conflicts(
    store: BatchStore, other_store: BatchStore
) -> None:
    """Callers with the numbers of the first creation get the batch."""
    outcomes = await asyncio.gather(
        *(create(one, total) for one in (store, other_store) for total in (1, 2, 3)), return_exceptions=True
    )
    batches = [one for one in outcomes if isinstance(one, Batch)]
    assert len(batches) == 2
    assert batches[0].total_jobs == batches[1].total_jobs == (await store.get_batch("batch")).total_jobs
    assert [type(one) for one in outcomes if not isinstance(one, Batch)] == [BatchConflict] * 4


@on_servers
async def test_creations_survive_a_rollback_of_the_first(
    store: BatchStore, database: Database, other_database: Database
) -> None:
    """Those that waited for its insert deadlock with each other, and are retried."""
    async with other_database.engine.connect() as connection:
        await insert_batch(connection, BATCH)
        waiting = [asyncio.create_task(create(store, 10)) for _ in range(3)]
        await wait_until_blocked(database, 3)
        await connection.rollback()
        created = await asyncio.gather(*waiting)
    assert len({batch.batch_key for batch in created}) == 1


async def _now(database: Database) -> datetime:
    async def look(connection: AsyncConnection) -> datetime:
        now: datetime = (await connection.execute(select(database_now()))).scalar_one()
        return now

    return await database.read(look)
