"""Changes of one batch take turns: each waits for the batch's lock and builds on the change before it."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import TypeVar

from sqlalchemy import text

from batches.batch import Tally
from batches.repair import RepairPlan
from batches.store import lifecycle, recording, retention
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database, Work
from batches.store.locking import BatchKeys, lock_batches
from batches.store.rows import insert_batch
from tests.integration.store.steps import ago, create, on_servers, wait_until_blocked
from tests.support.samples import BATCH, WORKER, result

pytestmark = on_servers

Result = TypeVar("Result")


async def after(other: Database, first: Work[object], second: Coroutine[object, object, Result]) -> Result:
    """Start the second change while the transaction of the first is open; commit when the second waits."""
    async with other.engine.begin() as connection:
        await first(connection)
        waiting = asyncio.create_task(second)
        await wait_until_blocked(other)
    return await waiting


def record(job_id: str) -> Work[object]:
    """Return the work that records a result."""

    def work(connection: AsyncConnection) -> Awaitable[object]:
        return recording.record_results(connection, [result(job_id)], WORKER, {}, BatchKeys())

    return work


async def test_results_build_on_the_results_before(store: BatchStore, other_database: Database) -> None:
    """Both groups are counted, each with a revision of its own."""
    await create(store, 10)
    recorded = await after(other_database, record("a"), store.record_results([result("b")], WORKER))
    assert (recorded.batches["batch"].tally, recorded.batches["batch"].revision) == (Tally(2), 3)
    assert (await store.get_batch("batch")).tally == Tally(2)


async def test_additions_build_on_the_additions_before(store: BatchStore, other_database: Database) -> None:
    """Both additions are part of the total."""
    await create(store, 10, sealed=False)
    batch = await after(
        other_database,
        lambda connection: lifecycle.add_jobs(connection, "batch", 5, "one"),
        store.add_jobs("batch", 7, "two"),
    )
    assert (batch.total_jobs, batch.revision) == (22, 3)


async def test_a_seal_builds_on_the_addition_before(store: BatchStore, other_database: Database) -> None:
    """The added jobs are part of the final total."""
    await create(store, 10, sealed=False)
    batch = await after(
        other_database,
        lambda connection: lifecycle.add_jobs(connection, "batch", 5, "one"),
        store.seal_batch("batch"),
    )
    assert (batch.total_jobs, batch.revision) == (15, 3)


async def test_a_repair_sees_the_report_before(store: BatchStore, other_database: Database) -> None:
    """A plan for the revision before the report is not carried out."""
    await create(store, 10)
    plan = RepairPlan("batch", revision=1, reason="reason", results=(result("b"),))
    assert await after(other_database, record("a"), store.write_repair(plan)) is None
    assert (await store.get_batch("batch")).tally == Tally(1)


async def test_a_creation_finds_the_batch_created_before(store: BatchStore, other_database: Database) -> None:
    """The second of two concurrent creations returns the batch of the first."""
    batch = await after(
        other_database, lambda connection: insert_batch(connection, BATCH), create(store, BATCH.total_jobs)
    )
    assert (batch.batch_id, batch.create_time) == ("batch", BATCH.create_time)


async def test_a_purge_leaves_out_the_batches_purged_before(
    store: BatchStore, other_database: Database
) -> None:
    """Of two concurrent passes, only the first purges a batch."""
    await create(store, 0)
    purged = await after(
        other_database,
        lambda connection: retention.purge_ended(connection, ago(0)),
        store.purge_ended(ago(0)),
    )
    assert purged == 0


async def test_batches_are_locked_in_the_order_of_their_keys(
    database: Database, store: BatchStore, other_database: Database
) -> None:
    """A group that waits for its first batch does not hold the lock of its second: groups never deadlock."""
    await create(store, 1, "first")
    await create(store, 1, "second")

    async def lock_second(connection: AsyncConnection) -> None:
        query = "SELECT batch_key FROM batches WHERE batch_id = 'second' FOR UPDATE NOWAIT"
        assert await connection.scalar(text(query))

    async with other_database.engine.begin() as holder:
        await lock_batches(holder, ["first"])
        waiting = asyncio.create_task(
            store.record_results([result("a", batch_id="second"), result("a", batch_id="first")], WORKER)
        )
        await wait_until_blocked(other_database)
        async with database.engine.begin() as connection:
            await lock_second(connection)
    await waiting
