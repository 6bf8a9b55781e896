"""Creating a batch whose id belongs to a batch that has ended."""

import asyncio
from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Tally
from batches.errors import BatchConflict, BatchEnded
from batches.look import Look
from batches.new_batch import IfEnded, NewBatch
from batches.repair import RepairPlan
from batches.store import lifecycle
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.locking import lock_batches
from tests.integration.store.steps import (
    RECORDED,
    count_rows,
    create,
    differences,
    execute,
    on_servers,
    recorded,
    report,
    scalar,
    wait_until_blocked,
)
from tests.support.samples import FAILED, WORKER, result, results

NIGHT_2 = NewBatch("batch", 5, request_id="night-2", if_ended=IfEnded.REPLACE)


async def end(store: BatchStore, jobs: int = 5, *, request_id: str | None = None) -> Batch:
    """Create a batch and complete it."""
    await store.create_batch(NewBatch("batch", jobs, request_id=request_id, labels={"night": "1"}))
    await report(store, *results(jobs))
    return await store.get_batch("batch")


async def test_the_second_night_counts_its_own_results(store: BatchStore, database: Database) -> None:
    """Five failures are five failures, although the same jobs succeeded the night before."""
    old = await end(store)
    new = await store.create_batch(NIGHT_2)
    assert (new.tally, new.revision, new.state) == (Tally(), 1, BatchState.PROCESSING)
    assert new.batch_key > old.batch_key
    assert new.create_time >= old.create_time
    assert await report(store, *results(5, FAILED)) == [RECORDED] * 5
    assert (await store.get_batch("batch")).tally == Tally(failed=5)
    while await store.delete_chunk():
        pass
    assert await count_rows(database) == {"batches": 1, "failure_groups": 2, "job_results": 5}
    assert await differences(store) == []


async def test_a_replaced_batch_may_have_had_other_numbers(store: BatchStore) -> None:
    """Another night may have more jobs."""
    await end(store, 3)
    assert (await store.create_batch(NIGHT_2)).total_jobs == 5


async def test_replacing_deletes_no_results_in_its_own_transaction(
    store: BatchStore, database: Database
) -> None:
    """A batch of a million jobs is replaced as fast as a small one; its rows are deleted in chunks."""
    old = await end(store)
    await store.create_batch(NIGHT_2)
    assert await scalar(database, "SELECT COUNT(*) FROM job_results") == 5
    assert await scalar(database, "SELECT batch_key FROM deleted_batches") == old.batch_key
    assert await recorded(store) == {}


async def test_an_ended_batch_is_an_error_if_the_creator_asks_for_it(store: BatchStore) -> None:
    """It says when the batch ended, and changes nothing."""
    await end(store)
    new = replace(NIGHT_2, if_ended=IfEnded.ERROR)
    with pytest.raises(BatchEnded, match=r"^batch batch already .*ended: it was completed at 20\d\d-.* UTC$"):
        await store.create_batch(new)
    assert (await store.get_batch("batch")).tally == Tally(succeeded=5)


async def test_an_ended_batch_is_an_error_also_with_other_numbers(store: BatchStore) -> None:
    """That it has ended is what the creator must know."""
    await end(store, 3)
    with pytest.raises(BatchEnded):
        await store.create_batch(replace(NIGHT_2, if_ended=IfEnded.ERROR))


async def test_a_cancelled_batch_has_ended_too(store: BatchStore) -> None:
    await create(store, 5)
    await store.cancel_batch("batch")
    with pytest.raises(BatchEnded, match="it was cancelled at"):
        await store.create_batch(replace(NIGHT_2, if_ended=IfEnded.ERROR))
    assert (await store.create_batch(NIGHT_2)).state is BatchState.PROCESSING


@pytest.mark.parametrize("if_ended", [IfEnded.ERROR, IfEnded.REPLACE])
async def test_a_processing_batch_is_never_replaced(store: BatchStore, if_ended: IfEnded) -> None:
    """It is returned, or a conflict if its numbers are different."""
    await create(store, 5)
    await report(store, result("job"))
    new = replace(NIGHT_2, if_ended=if_ended)
    assert (await store.create_batch(new)).tally == Tally(succeeded=1)
    with pytest.raises(BatchConflict):
        await store.create_batch(replace(new, total_jobs=6))


@pytest.mark.parametrize("if_ended", list(IfEnded))
async def test_a_retry_finds_its_own_batch(store: BatchStore, if_ended: IfEnded) -> None:
    """Even if the batch has ended before the retry; otherwise a lost answer would delete its results."""
    new = replace(NIGHT_2, if_ended=if_ended)
    created = await store.create_batch(new)
    await report(store, *results(5))
    again = await store.create_batch(new)
    assert (again.batch_key, again.tally) == (created.batch_key, Tally(succeeded=5))
    with pytest.raises(BatchConflict):
        await store.create_batch(replace(new, total_jobs=6))


async def test_an_ended_batch_is_returned_by_default(store: BatchStore) -> None:
    """As before version 0.2, with a request_id or without."""
    await end(store, request_id="night-1")
    for request_id in (None, "night-1", "night-2"):
        batch = await store.create_batch(NewBatch("batch", 5, request_id=request_id))
        assert batch.tally == Tally(succeeded=5)


async def test_request_ids_are_compared_byte_by_byte(store: BatchStore) -> None:
    """`Night` is another request than `night`."""
    await end(store, request_id="night")
    with pytest.raises(BatchEnded):
        await store.create_batch(NewBatch("batch", 5, request_id="Night", if_ended=IfEnded.ERROR))


async def test_concurrent_creators_replace_a_batch_once(
    store: BatchStore, other_store: BatchStore, database: Database
) -> None:
    """Sixteen creators on two replicas get the same new batch."""
    old = await end(store)
    news = [replace(NIGHT_2, request_id=f"night-2-{number}") for number in range(16)]
    stores = [store, other_store] * 8
    created = await asyncio.gather(*(one.create_batch(new) for one, new in zip(stores, news, strict=True)))
    assert {batch.state for batch in created} == {BatchState.PROCESSING}
    assert len({batch.batch_key for batch in created}) == 1
    assert created[0].batch_key > old.batch_key
    assert await scalar(database, "SELECT COUNT(*) FROM deleted_batches") == 1


async def test_concurrent_reports_and_replacements_keep_the_counters_exact(
    store: BatchStore, other_store: BatchStore
) -> None:
    """A report counts in the batch that has the id when it is recorded."""
    await end(store)
    reports = [store.record_results([result(f"late-{number}")], WORKER) for number in range(20)]
    new = replace(NIGHT_2, total_jobs=20)
    news = [other_store.create_batch(replace(new, request_id=f"{number}")) for number in range(5)]
    await asyncio.gather(*reports, *news)
    batch = await store.get_batch("batch")
    assert len(await recorded(store)) == batch.tally.ended
    assert await differences(store) == []


@on_servers
async def test_a_report_finds_the_batch_that_replaced_its_own(
    store: BatchStore, database: Database, other_database: Database
) -> None:
    """It had looked up the key of the old batch, and waited for its lock while that was replaced."""
    await end(store)
    async with other_database.engine.begin() as replacing:
        await lock_batches(replacing, ["batch"])
        waiting = asyncio.create_task(store.record_results([result("job-00000", FAILED)], WORKER))
        await wait_until_blocked(database)
        await lifecycle.create_batch(replacing, NIGHT_2)
    recording = await waiting
    assert recording.verdicts == [RECORDED]
    assert (await store.get_batch("batch")).tally == Tally(failed=1)


async def test_a_repair_of_a_replaced_batch_is_not_written_to_the_new_one(store: BatchStore) -> None:
    """Even if both have the same revision: the queue's answer was about the old one."""
    old = await create(store, 5)
    plan = RepairPlan(
        "batch", old.revision, "reason", results=(result("job-00000"),), batch_key=old.batch_key
    )
    await store.cancel_batch("batch")
    new = await store.create_batch(NIGHT_2)
    assert new.revision == plan.revision
    assert await store.write_repair(plan) is None
    assert (await store.get_batch("batch")).tally == Tally()
    assert await store.write_repair(replace(plan, batch_key=new.batch_key)) is not None


async def test_a_look_at_a_replaced_batch_is_not_kept_for_the_new_one(
    store: BatchStore, database: Database
) -> None:
    """People would be told what the queue said about the old one."""
    old = await create(store, 5)
    await store.cancel_batch("batch")
    new = await store.create_batch(NIGHT_2)
    await store.record_look(Look("batch", "still_pending", "a reason", batch_key=old.batch_key))
    assert await scalar(database, "SELECT COUNT(*) FROM looks") == 0
    await store.record_look(Look("batch", "still_pending", "a reason", batch_key=new.batch_key))
    assert await scalar(database, "SELECT COUNT(*) FROM looks") == 1


async def test_a_batch_created_by_an_older_server_is_replaced(store: BatchStore, database: Database) -> None:
    """Its row has no request_id."""
    await end(store)
    await execute(database, "UPDATE batches SET request_id = NULL")
    assert (await store.create_batch(NIGHT_2)).tally == Tally()
