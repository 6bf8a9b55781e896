"""Deleting a batch by its id: it is gone at once, with its rows, and nothing brings it back."""

import asyncio
from random import Random

import pytest
from sqlalchemy import ScalarSelect, func, or_, select

from batches.batch import Batch, BatchState
from batches.errors import BatchNotFound, BatchProcessing
from batches.listing import BatchFilter, ResultFilter
from batches.new_batch import NewBatch
from batches.result import Disposition
from batches.store import deletion, schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import count_rows, create, differences, report
from tests.integration.store.test_retention import completed, delete_all
from tests.support.samples import FAILED, WORKER, result, results

ROUNDS = 15
REPORTERS = 6
ANY_RESULT = ResultFilter(None, None)


def test_every_table_about_a_batch_is_deleted_from() -> None:
    """A new table with the data of batches must not outlive them."""
    about = {table.name for table in schema.metadata.sorted_tables if "batch_key" in table.c}
    # `purge` deletes from the table of batches, `delete_batch` from those of webhooks too, which outlive a
    # batch that is replaced or old.
    elsewhere = {"batches", "events", "deliveries"}
    in_chunks = [*(table for table, _ in deletion._COUNTED), *deletion._FEW_ROWS]  # noqa: SLF001
    assert about - elsewhere == {table.name for table in in_chunks}


async def test_small_batch_is_deleted_with_all_its_rows(store: BatchStore, database: Database) -> None:
    """No pass of the reconciler is needed, and another batch keeps what it has."""
    await completed(store, "other")
    kept = await count_rows(database)
    await completed(store)
    await store.delete_batch("batch")
    assert await count_rows(database) == kept
    assert not await store.delete_chunk()


async def test_large_batch_is_unknown_before_its_rows_are_deleted(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every read and every write says so; its id is free, and the new batch has nothing of the old one."""
    monkeypatch.setattr(deletion, "CHUNK_ROWS", 2)
    await completed(store, jobs=9)
    await store.delete_batch("batch")
    assert (await count_rows(database))["job_results"] == 7
    for read in (
        store.get_batch("batch"),
        store.list_results("batch", ANY_RESULT, after_job_id=None, size=9),
        store.list_failure_groups("batch", after=0, size=9),
        store.list_repairs("batch", before_key=None, size=9),
        store.list_pending_jobs("batch", after_job_id=None, size=9),
        store.read_history("batch"),
        store.seal_batch("batch"),
        store.cancel_batch("batch"),
        store.add_jobs("batch", 1, "request"),
    ):
        with pytest.raises(BatchNotFound):
            await read
    assert await report(store, result("late")) == [BatchNotFound]
    assert (await store.list_batches(BatchFilter(), before_key=None, size=9)).items == []
    assert (await create(store, 1)).tally.ended == 0
    await report(store, result("job-0"))
    await delete_all(store)
    assert await count_rows(database) == {"batches": 1, "job_results": 1}
    assert await differences(store) == []


async def test_batch_that_is_processing_is_not_deleted(store: BatchStore) -> None:
    await create(store, 2)
    await report(store, result("job"))
    with pytest.raises(BatchProcessing, match="batch batch is processing"):
        await store.delete_batch("batch")
    assert (await store.get_batch("batch")).tally.ended == 1
    await store.cancel_batch("batch")
    await store.delete_batch("batch")


async def test_batch_that_does_not_exist_is_deleted(store: BatchStore, database: Database) -> None:
    """So the call may be repeated after an unknown outcome."""
    await completed(store)
    for _ in range(2):
        await store.delete_batch("batch")
    await store.delete_batch("never created")
    assert await count_rows(database) == {}


def orphans() -> ScalarSelect[int]:
    """Return the number of results whose batch neither exists nor is being deleted."""
    key = schema.job_results.c.batch_key
    known = or_(
        key.in_(select(schema.batches.c.batch_key)), key.in_(select(schema.deleted_batches.c.batch_key))
    )
    return select(func.count()).select_from(schema.job_results).where(~known).scalar_subquery()


@pytest.mark.more("reports and deletes for some seconds")
@pytest.mark.parametrize("seed", [1, 2])
async def test_reports_during_a_deletion_never_bring_the_batch_back(
    store: BatchStore, other_store: BatchStore, database: Database, seed: int
) -> None:
    """Each report is counted in a batch that exists, or told that there is none; no row is left behind."""
    chance = Random(seed)
    stores = [store, other_store]
    answers: list[object] = []
    over = False

    async def keep_reporting(number: int) -> None:
        while not over:
            group = [*results(chance.randrange(1, 20)), result(f"own-{number}", FAILED)]
            recording = await stores[number % 2].record_results(group, WORKER)
            answers.extend(type(one) if isinstance(one, Exception) else one for one in recording.verdicts)
            await asyncio.sleep(0)

    reporters = [asyncio.create_task(keep_reporting(number)) for number in range(REPORTERS)]
    try:
        for number in range(ROUNDS):
            created: Batch = await stores[number % 2].create_batch(NewBatch("batch", 100))
            assert created.state is BatchState.PROCESSING
            await asyncio.sleep(chance.random() / 100)
            await store.cancel_batch("batch")
            await asyncio.gather(*(one.delete_batch("batch") for one in stores))
            with pytest.raises(BatchNotFound):
                await other_store.get_batch("batch")
    finally:
        over = True
        await asyncio.gather(*reporters)
    assert set(answers) <= {Disposition.RECORDED, Disposition.DUPLICATE, BatchNotFound}
    assert BatchNotFound in answers
    async with database.engine.connect() as connection:
        assert await connection.scalar(select(orphans())) == 0
    await delete_all(store)
    assert await count_rows(database) == {}
    assert await differences(store) == []


async def test_creation_during_deletions_always_has_a_batch(
    store: BatchStore, other_store: BatchStore
) -> None:
    """It is the old one or a new one, never an error."""

    async def create_again() -> None:
        for _ in range(ROUNDS):
            assert (await store.create_batch(NewBatch("batch", 0))).state is BatchState.COMPLETED

    async def delete_again() -> None:
        for _ in range(2 * ROUNDS):
            await other_store.delete_batch("batch")

    await asyncio.gather(create_again(), create_again(), delete_again())
