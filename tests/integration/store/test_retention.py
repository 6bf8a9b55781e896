"""Purging batches that ended long ago."""

import asyncio
from datetime import timedelta

import pytest

from batches.batch import Tally
from batches.errors import BatchNotFound
from batches.listing import BatchFilter
from batches.look import Look, PendingJob, QueuePending
from batches.repair import RepairPlan
from batches.store import retention
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.deletion import CHUNK_ROWS
from tests.integration.store.steps import (
    RECORDED,
    ago,
    count_rows,
    create,
    differences,
    execute,
    insert_batches,
    open_connections,
    recorded,
    report,
)
from tests.support.samples import FAILED, result, results

DAY_SECONDS = 86_400.0
LONG_AGO = "2000-01-01 00:00:00.000000"


async def age(database: Database, *batch_ids: str) -> None:
    """Let batches that have ended have ended long ago."""
    for batch_id in batch_ids:
        await execute(
            database,
            "UPDATE batches SET create_time = :long_ago, complete_time ="
            " CASE WHEN complete_time IS NULL THEN NULL ELSE :long_ago END WHERE batch_id = :batch_id",
            long_ago=LONG_AGO,
            batch_id=batch_id,
        )


async def completed(store: BatchStore, batch_id: str = "batch", jobs: int = 3) -> None:
    """Complete a batch that has rows in every table."""
    await create(store, 0, batch_id, sealed=False, team="sync", env="prod")
    await store.add_jobs(batch_id, jobs, "request")
    await report(store, *results(jobs - 1, batch_id=batch_id))
    pending = QueuePending(1, lists_jobs=True, first_jobs=(PendingJob("last"),))
    await store.record_look(Look(batch_id, "still_pending", "1 job is still pending", pending))
    last = (result("last", FAILED, batch_id=batch_id),)
    await store.write_repair(RepairPlan(batch_id, 3, "reason", results=last))
    await store.seal_batch(batch_id)


async def delete_all(store: BatchStore, rows_max: int = CHUNK_ROWS) -> int:
    """Delete all chunks; return their number."""
    chunks = 0
    while await store.delete_chunk(rows_max):
        chunks += 1
    return chunks


async def test_a_purged_batch_does_not_exist(store: BatchStore, database: Database) -> None:
    """This holds before its rows are deleted, for readers and for reports."""
    await completed(store)
    await age(database, "batch")
    assert await store.purge_ended(ago(DAY_SECONDS)) == 1
    with pytest.raises(BatchNotFound):
        await store.get_batch("batch")
    assert await report(store, result("late")) == [BatchNotFound]
    assert await store.read_changed({"batch": (1, 1, None)}) == ([], ["batch"])


async def test_all_rows_of_a_purged_batch_are_deleted(store: BatchStore, database: Database) -> None:
    """Another batch keeps all of its rows."""
    await completed(store, "other")
    kept = await count_rows(database)
    await completed(store)
    await age(database, "batch")
    await store.purge_ended(ago(DAY_SECONDS))
    await delete_all(store)
    assert await count_rows(database) == kept
    assert len(await recorded(store, "other")) == 3
    assert await differences(store) == []


async def test_only_batches_that_ended_long_ago_are_purged(store: BatchStore, database: Database) -> None:
    """Others stay, however old they are."""
    for batch_id in ("completed", "cancelled", "processing", "recent"):
        await create(store, 1, batch_id)
    await report(store, result("job", batch_id="completed"), result("job", batch_id="recent"))
    await store.cancel_batch("cancelled")
    await age(database, "completed", "cancelled", "processing")
    assert await store.purge_ended(ago(DAY_SECONDS)) == 2
    assert await store.purge_ended(ago(DAY_SECONDS)) == 0
    page = await store.list_batches(BatchFilter(), before_key=None, size=10)
    assert [batch.batch_id for batch in page.items] == ["recent", "processing"]


async def test_only_batches_that_ended_before_the_given_time_are_purged(
    store: BatchStore, database: Database
) -> None:
    now = (await create(store, 1, "processing")).read_time
    for batch_id, seconds in (("old", 150), ("recent", 50)):
        await insert_batches(database, [batch_id], complete_time=now - timedelta(seconds=seconds))
    assert await store.purge_ended(ago(100)) == 1
    with pytest.raises(BatchNotFound):
        await store.get_batch("old")


async def test_purging_without_ended_batches_does_nothing(store: BatchStore) -> None:
    """There is nothing to delete either."""
    await create(store, 1)
    assert await store.purge_ended(ago(0)) == 0
    assert await store.delete_chunk() is None


async def test_an_interrupted_deletion_continues(
    store: BatchStore, other_store: BatchStore, database: Database
) -> None:
    """Each chunk is bounded and committed."""
    for batch_id in ("one", "two"):
        await completed(store, batch_id, jobs=35)
    await age(database, "one", "two")
    await store.purge_ended(ago(DAY_SECONDS))
    assert await store.delete_chunk(10)
    assert (await count_rows(database))["job_results"] == 60
    assert 7 <= await delete_all(other_store, 10) <= 10
    assert await count_rows(database) == {}


async def test_the_id_of_a_purged_batch_can_be_reused(store: BatchStore, database: Database) -> None:
    """The new batch has nothing of the old one, whose rows are still being deleted."""
    await completed(store, jobs=5)
    await age(database, "batch")
    await store.purge_ended(ago(DAY_SECONDS))
    await store.delete_chunk(2)
    batch = await create(store, 7, sealed=False)
    assert (batch.tally, batch.labels, batch.revision) == (Tally(), {}, 1)
    assert await recorded(store) == {}
    assert (await store.list_repairs("batch", before_key=None, size=10)).items == []
    assert (await store.add_jobs("batch", 1, "request")).total_jobs == 8
    assert await report(store, result("last")) == [RECORDED]
    await delete_all(store)
    assert set(await recorded(store)) == {"last"}
    assert await count_rows(database) == {"batches": 1, "job_results": 1, "job_additions": 1}
    assert await differences(store) == []


async def test_the_key_of_a_purged_batch_is_never_reused(store: BatchStore, database: Database) -> None:
    """The next batch has a higher key."""
    await create(store, 0)
    old = await store.get_batch("batch")
    await age(database, "batch")
    await store.purge_ended(ago(DAY_SECONDS))
    assert (await create(store, 0)).batch_key > old.batch_key


async def test_the_oldest_batches_are_purged_first(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call purges a bounded number."""
    monkeypatch.setattr(retention, "CHUNK_BATCHES", 2)
    for batch_id in ("c", "a", "b", "d", "e"):
        await create(store, 0, batch_id)
    for year, batch_id in enumerate("abcde", start=2000):
        query = "UPDATE batches SET complete_time = :time WHERE batch_id = :batch_id"
        await execute(database, query, time=f"{year}-01-01 00:00:00.000000", batch_id=batch_id)
    assert await store.purge_ended(ago(DAY_SECONDS)) == 2
    page = await store.list_batches(BatchFilter(), before_key=None, size=10)
    assert [batch.batch_id for batch in page.items] == ["e", "d", "c"]
    assert [await store.purge_ended(ago(DAY_SECONDS)) for _ in range(3)] == [2, 1, 0]


async def test_concurrent_passes_purge_each_batch_once(
    store: BatchStore, other_store: BatchStore, database: Database, other_database: Database
) -> None:
    """No error of the database surfaces."""
    ids = [f"batch-{number}" for number in range(30)]
    await insert_batches(database, ids)
    await report(store, *(result("job", batch_id=batch_id) for batch_id in ids))
    await execute(database, "UPDATE batches SET complete_time = :time", time=LONG_AGO)
    for one in (database, other_database):
        await open_connections(one, 4)
    stores = [store, other_store] * 4
    assert sum(await asyncio.gather(*(one.purge_ended(ago(DAY_SECONDS)) for one in stores))) == 30
    await asyncio.gather(*(delete_all(one) for one in stores))
    assert await count_rows(database) == {}
