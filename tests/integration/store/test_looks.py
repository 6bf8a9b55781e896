"""The reconciler's looks at batches that it left open, and the order in which it looks at them."""

from dataclasses import replace

import pytest

from batches.errors import BatchNotFound
from batches.look import LastLook, Look, PendingJob, QueuePending
from batches.repair import RepairPlan
from batches.store import repairs, schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import (
    ago,
    count_rows,
    create,
    execute,
    insert_batches,
    on_servers,
    on_sqlite,
    report,
    rows_read,
    update_statistics,
)
from tests.support.samples import result

JOBS = (PendingJob("a", "sync_row", 1), PendingJob("b", "sync_row", 2))
LOOK = Look(
    "batch",
    "still_pending",
    "2 jobs are still pending in Celery",
    QueuePending(2, lists_jobs=True, first_jobs=JOBS),
)


async def look_at(store: BatchStore, batch_id: str = "batch") -> LastLook | None:
    """Return the newest look at a batch."""
    key = (await store.get_batch(batch_id)).batch_key
    return (await store.read_findings([key]))[key].look


async def pending_ids(database: Database) -> list[str]:
    """Return the pending jobs of all looks."""
    rows = await database.read(
        lambda c: c.execute(schema.pending_jobs.select().order_by(schema.pending_jobs.c.job_id))
    )
    return [f"{row.job_id} {row.display_name} {row.attempt}" for row in rows]


async def test_a_look_is_kept_and_changes_no_revision(store: BatchStore, database: Database) -> None:
    before = await create(store, 10)
    await store.record_look(LOOK)
    look = await look_at(store)
    assert look is not None
    assert (look.reason_kind, look.reason) == ("still_pending", "2 jobs are still pending in Celery")
    assert (look.pending_jobs, look.lists_jobs, look.unchanged_since) == (2, True, look.look_time)
    assert await pending_ids(database) == ["a sync_row 1", "b sync_row 2"]
    after = await store.get_batch("batch")
    assert replace(after, read_time=before.read_time) == before
    assert await store.read_changed({"batch": before.version}) == ([], [])


async def test_a_look_replaces_the_one_before(store: BatchStore, database: Database) -> None:
    await create(store, 10)
    await store.record_look(LOOK)
    first = await look_at(store)
    jobs = (PendingJob("b", "sync_row", 3), PendingJob("c"))
    await store.record_look(replace(LOOK, pending=QueuePending(2, lists_jobs=True, first_jobs=jobs)))
    second = await look_at(store)
    assert first is not None
    assert second is not None
    assert second.look_time >= first.look_time == second.unchanged_since
    assert await pending_ids(database) == ["b sync_row 3", "c  1"]


@on_sqlite
async def test_a_queue_that_does_not_answer_keeps_the_jobs_of_the_look_before(
    store: BatchStore, database: Database
) -> None:
    await create(store, 10)
    await store.record_look(LOOK)
    await store.record_look(Look("batch", "queue_unavailable", "the job-status service does not answer"))
    look = await look_at(store)
    assert look is not None
    assert (look.reason_kind, look.pending_jobs) == ("queue_unavailable", 2)
    assert len(await pending_ids(database)) == 2


async def test_an_ended_batch_has_no_look(store: BatchStore, database: Database) -> None:
    """The repair that ends it deletes the look, and a later look is not kept."""
    batch = await create(store, 1)
    await store.record_look(LOOK)
    await store.write_repair(RepairPlan("batch", batch.revision, "reason", results=(result("a"),)))
    assert await look_at(store) is None
    await store.record_look(LOOK)
    assert await look_at(store) is None
    assert await pending_ids(database) == []


@on_sqlite
async def test_a_look_at_an_unknown_batch_is_not_kept(store: BatchStore, database: Database) -> None:
    with pytest.raises(BatchNotFound):
        await store.record_look(LOOK)
    assert await count_rows(database) == {}


async def test_a_long_reason_of_a_look_is_cut(store: BatchStore) -> None:
    await create(store, 10)
    await store.record_look(replace(LOOK, reason="🎉" * 600))
    look = await look_at(store)
    assert look is not None
    assert look.reason == "🎉" * schema.REASON_CHARACTERS_MAX


async def stuck(store: BatchStore, stuck_after_seconds: float = 0) -> list[str]:
    """Return the stuck batches, in their order."""
    keys = await store.list_stuck(stuck_after_seconds)
    id_of = {batch.batch_key: batch.batch_id for batch in await store.read_batches(keys)}
    return [id_of[key] for key in keys]


async def test_stuck_batches_are_listed_in_the_order_of_their_last_look(store: BatchStore) -> None:
    """Those never looked at are first, in the order of their creation."""
    for batch_id in ("first", "second", "third", "never", "nor ever"):
        await create(store, 1, batch_id)
    for batch_id in ("second", "third", "first"):
        await store.record_look(replace(LOOK, batch_id=batch_id))
    assert await stuck(store) == ["never", "nor ever", "second", "third", "first"]


async def test_only_batches_without_a_recent_result_are_stuck(store: BatchStore, database: Database) -> None:
    for batch_id in ("silent", "recent", "never", "ended"):
        await create(store, 2 if batch_id != "ended" else 1, batch_id)
    await report(store, *(result("a", batch_id=one) for one in ("silent", "recent", "ended")))
    await execute(database, "UPDATE batches SET create_time = '2000-01-01 00:00:00.000000'")
    await execute(
        database,
        "UPDATE batches SET last_result_time = '2000-01-01 00:00:00.000000' WHERE batch_id = 'silent'",
    )
    assert await stuck(store, 300) == ["silent", "never"]


@on_servers
async def test_listing_stuck_batches_does_not_read_the_other_open_ones(database: Database) -> None:
    await insert_batches(database, [f"open-{number}" for number in range(500)], last_result_time=ago(0))
    for number, silent_for in enumerate((3_600, 7_200, -7_200)):
        await insert_batches(database, [f"stuck-{number}"], last_result_time=ago(silent_for))
    await insert_batches(database, ["new"], last_result_time=None, create_time=ago(3_600))
    await update_statistics(database)
    async with database.engine.connect() as connection:
        before = await rows_read(connection)
        stuck_batches = await repairs.list_stuck(connection, 300)
        rows = await rows_read(connection) - before
    assert len(stuck_batches) == 4
    assert rows < 100


@on_sqlite
async def test_a_deleted_batch_is_not_read(store: BatchStore) -> None:
    batch = await create(store, 1)
    read = await store.read_batches([batch.batch_key, batch.batch_key + 1])
    assert [one.batch_id for one in read] == ["batch"]
    assert await store.read_batches([]) == []


async def test_a_batch_from_before_the_clock_was_set_back_is_stuck(
    store: BatchStore, database: Database
) -> None:
    """It has had no result since, and nobody knows for how long; a result makes it a recent one."""
    for batch_id in ("silent", "moves"):
        await create(store, 2, batch_id)
        await report(store, result("first", batch_id=batch_id))
    await execute(database, "UPDATE batches SET last_result_time = '2999-01-01 00:00:00.000000'")
    assert await stuck(store, 300) == ["silent", "moves"]
    assert (await store.read_overview(300)).stuck_batches == 2
    await report(store, result("second", batch_id="moves"))
    assert await stuck(store, 300) == ["silent"]


async def test_a_look_from_before_the_clock_was_set_back_is_not_told(
    store: BatchStore, database: Database
) -> None:
    await create(store, 2)
    found = QueuePending(1, lists_jobs=True, first_jobs=(PendingJob("j"),))
    await store.record_look(Look("batch", "contradiction", "why", found, needs_person=True))
    assert (await store.read_overview(300)).batches_need_person == 1
    await execute(database, "UPDATE looks SET look_time = '2999-01-01 00:00:00.000000'")
    assert (await store.read_overview(300)).batches_need_person == 0
    page = await store.list_pending_jobs("batch", after_job_id=None, size=10)
    assert (page.jobs.items, page.look) == ([], None)
    await store.record_look(Look("batch", "contradiction", "why", found, needs_person=True))
    assert (await store.read_overview(300)).batches_need_person == 1
