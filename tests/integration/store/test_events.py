"""Events: one row in the very transaction that ends a batch, and none that nobody wants."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.failure_limit import FailureLimit
from batches.look import Look
from batches.new_batch import IfEnded, NewBatch
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.locking import lock_batches
from tests.integration.store.steps import (
    count_rows,
    create,
    execute,
    on_servers,
    report,
    wait_until_blocked,
)
from tests.support.samples import FAILED, result, results
from tests.support.webhooks import hand_over, taken_events

LOOK = Look("batch", "unknown", "the queue does not know it", stuck_after_seconds=0)
URL = "https://app.example/hooks?key=secret"


async def names(store: BatchStore) -> list[str]:
    """Take the events that wait, and return what they are called."""
    return [event.type.text for event in await taken_events(store)]


async def by_reports(store: BatchStore) -> None:
    await create(store, 3)
    await report(store, *results(3))


async def by_seal(store: BatchStore) -> None:
    await create(store, 3, sealed=False)
    await report(store, *results(3))
    await store.seal_batch("batch")


async def by_cancellation(store: BatchStore) -> None:
    await create(store, 3)
    await store.cancel_batch("batch")


async def by_creation(store: BatchStore) -> None:
    await create(store, 0)


async def by_limit(store: BatchStore) -> None:
    await store.create_batch(NewBatch("batch", 3, failure_limit=FailureLimit(jobs=0)))
    await report(store, result("job-0", FAILED))


async def by_repair(store: BatchStore) -> None:
    batch = await create(store, 3)
    plan = RepairPlan("batch", batch.revision, closes=True, total_jobs=3, unattributed=Tally(3))
    assert await store.write_repair(plan)


async def by_repair_that_cancels(store: BatchStore) -> None:
    batch = await create(store, 3)
    plan = RepairPlan(
        "batch", batch.revision, closes=True, cancels=True, unattributed=Tally(1, 0, 2), total_jobs=3
    )
    assert await store.write_repair(plan)


@pytest.mark.parametrize(
    ("end", "event"),
    [
        (by_reports, "batch.completed"),
        (by_seal, "batch.completed"),
        (by_cancellation, "batch.cancelled"),
        (by_creation, "batch.completed"),
        (by_limit, "batch.cancelled"),
        (by_repair, "batch.completed"),
        (by_repair_that_cancels, "batch.cancelled"),
    ],
)
async def test_every_way_to_end_writes_one_event(
    store: BatchStore, end: Callable[[BatchStore], Awaitable[None]], event: str
) -> None:
    await store.want_events()
    await end(store)
    after = await store.get_batch("batch")
    (written,) = await taken_events(store)
    assert written.type.text == event
    assert replace(written.batch, read_time=after.read_time) == after
    assert written.time == after.complete_time


async def test_later_tallies_make_no_second_event(store: BatchStore) -> None:
    await store.want_events()
    await by_reports(store)
    assert await names(store) == ["batch.completed"]
    await report(store, *results(3), replace(result("job-0", FAILED), attempt=2))
    await store.seal_batch("batch")
    await create(store, 3)
    assert await names(store) == []


async def test_no_event_is_written_that_nobody_wants(store: BatchStore, database: Database) -> None:
    await by_reports(store)
    assert "events" not in await count_rows(database)
    await store.want_events()
    await execute(database, "UPDATE leases SET expire_time = '2020-01-01 00:00:00.000000'")
    await create(store, 0, "other")
    assert "events" not in await count_rows(database)


async def test_a_notify_url_gets_the_events_of_its_batch_alone(store: BatchStore) -> None:
    await store.create_batch(NewBatch("batch", 0, notify_url=URL))
    await create(store, 0, "other")
    (event,) = await taken_events(store)
    assert (event.batch.batch_id, event.notify_url) == ("batch", URL)
    assert URL not in repr(await store.get_batch("batch"))


async def test_an_event_survives_the_batch_that_takes_its_id(store: BatchStore) -> None:
    await store.want_events()
    await create(store, 0)
    new = NewBatch("batch", 5, request_id="again", if_ended=IfEnded.REPLACE)
    assert (await store.create_batch(new)).state is BatchState.PROCESSING
    while await store.delete_chunk():
        pass
    assert await names(store) == ["batch.completed"]


async def test_a_deleted_batch_has_neither_events_nor_deliveries(
    store: BatchStore, database: Database
) -> None:
    await store.want_events()
    await store.create_batch(NewBatch("batch", 0, notify_url=URL))
    assert await hand_over(store) == 1
    await create(store, 1, "other")
    await store.cancel_batch("other")
    await store.delete_batch("other")
    await store.delete_batch("batch")
    assert set(await count_rows(database)) == {"leases"}


async def test_stuck_and_recovered_are_told_once(store: BatchStore) -> None:
    await store.want_events()
    await create(store, 3)
    await store.record_look(LOOK)
    await store.record_look(LOOK)
    (stuck,) = await taken_events(store)
    assert stuck.type.text == "batch.stuck"
    assert "the queue does not know it" in stuck.stall_reason
    assert await store.tell_recovered() == 0
    await report(store, result("job-0"))
    assert await store.tell_recovered() == 1
    assert await store.tell_recovered() == 0
    await store.record_look(LOOK)
    await report(store, *results(3))
    assert await store.tell_recovered() == 0
    assert await names(store) == ["batch.recovered", "batch.stuck", "batch.completed"]


@on_servers
@pytest.mark.more("waits for a lock")
async def test_recovery_is_told_once_by_passes_at_the_same_time(
    store: BatchStore, database: Database
) -> None:
    """Both have found the batch before one of them has its lock."""
    await store.want_events()
    await create(store, 3)
    await store.record_look(LOOK)
    await report(store, result("job-0"))
    async with database.engine.begin() as connection:
        await lock_batches(connection, ["batch"])
        telling = [asyncio.create_task(store.tell_recovered()) for _ in range(2)]
        await wait_until_blocked(database, 2)
    assert sorted(await asyncio.gather(*telling)) == [0, 1]
    assert await names(store) == ["batch.stuck", "batch.recovered"]


async def test_a_batch_with_recent_results_is_not_stuck(store: BatchStore) -> None:
    await store.want_events()
    await create(store, 3)
    await store.record_look(replace(LOOK, stuck_after_seconds=3_600))
    await store.record_look(replace(LOOK, stuck_after_seconds=None))
    assert await names(store) == []
