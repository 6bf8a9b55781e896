"""Deliveries: claimed by one notifier at a time, in the order of a batch's events, and kept for a month."""

import asyncio
from datetime import UTC, datetime, timedelta

from batches.delivery import DeliveryState, Queue
from batches.event import KEPT_SECONDS
from batches.look import Look
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import count_rows, create, execute, scalar
from tests.support.webhooks import BILLING, claim, hand_over, keep, taken_events

PENDING, DELIVERED, DEAD = DeliveryState
LOOK = Look("batch", "unknown", "the queue does not know it", stuck_after_seconds=0)
LONG_DUE = "UPDATE deliveries SET next_attempt_time = '2020-01-01 00:00:00.000000'"


async def ended(store: BatchStore, *batch_ids: str) -> None:
    """End batches, and hand their events over."""
    await store.want_events()
    for batch_id in batch_ids:
        await create(store, 0, batch_id)
    assert await hand_over(store) == len(batch_ids)


async def test_an_event_is_handed_over_once(store: BatchStore, other_store: BatchStore) -> None:
    await store.want_events()
    for number in range(20):
        await create(store, 0, f"batch-{number}")
    await asyncio.gather(*(hand_over(one) for one in (store, other_store) * 4))
    while await hand_over(store):
        pass
    claimed = await claim(store)
    assert [one.batch_id for one in claimed] == [f"batch-{number}" for number in range(20)]
    assert len({one.delivery_id for one in claimed}) == 20


async def test_notifiers_that_claim_at_once_share_the_deliveries(
    store: BatchStore, other_store: BatchStore
) -> None:
    await ended(store, *(f"batch-{number}" for number in range(30)))
    claims = await asyncio.gather(*(claim(one, 10) for one in (store, other_store) * 4))
    ids = [one.batch_id for some in claims for one in some]
    ids += [one.batch_id for one in await claim(store)]
    assert sorted(ids) == sorted(f"batch-{number}" for number in range(30))


async def test_the_next_event_of_a_batch_waits_for_the_one_before(store: BatchStore) -> None:
    await store.want_events()
    await create(store, 3)
    await store.record_look(LOOK)
    await store.cancel_batch("batch")
    await hand_over(store)
    (first,) = await claim(store)
    assert (first.type.text, await claim(store)) == ("batch.stuck", [])
    await keep(store, first, PENDING, retry_seconds=3_600)
    assert await claim(store) == []
    await store.retry_delivery(first.delivery_id, "")
    assert await claim(store) == []  # it is pending: nothing has changed


async def test_a_dead_delivery_lets_the_next_one_go(store: BatchStore) -> None:
    await store.want_events()
    await create(store, 3)
    await store.record_look(LOOK)
    await store.cancel_batch("batch")
    await hand_over(store)
    for state, event in ((DEAD, "batch.stuck"), (DELIVERED, "batch.cancelled")):
        (claimed,) = await claim(store)
        assert claimed.type.text == event
        await keep(store, claimed, state)
    assert await claim(store) == []


async def test_a_delivery_of_a_dead_notifier_is_taken_over(store: BatchStore, database: Database) -> None:
    await ended(store, "batch")
    (first,) = await claim(store)
    await execute(database, LONG_DUE)
    (second,) = await claim(store)
    assert (second.delivery_id, second.attempts) == (first.delivery_id, 2)
    await keep(store, first, DEAD)  # by the notifier that was only slow
    assert await scalar(database, "SELECT state FROM deliveries") == PENDING
    await keep(store, second, DELIVERED)
    assert await claim(store) == []


async def test_a_receiver_that_is_gone_ends_its_deliveries(store: BatchStore) -> None:
    await ended(store, "one", "two")
    assert await store.end_queue(Queue("other"), "gone") == 0
    assert await store.end_queue(BILLING, "gone") == 2
    assert await claim(store) == []


async def test_deliveries_without_a_receiver_end_after_a_while(store: BatchStore, database: Database) -> None:
    await ended(store, "batch")
    assert await store.end_unknown([], 3_600, "unknown") == 0
    await execute(database, LONG_DUE)
    assert await store.end_unknown([BILLING], 3_600, "unknown") == 0
    assert await store.end_unknown([Queue("other")], 3_600, "unknown") == 1


async def test_old_deliveries_and_events_are_deleted(store: BatchStore, database: Database) -> None:
    await ended(store, "one", "two")
    (first, _) = await claim(store)
    await keep(store, first, DELIVERED)
    await create(store, 0, "three")
    before = datetime.now(UTC) + timedelta(minutes=1)
    assert await store.purge_webhooks(before - timedelta(seconds=KEPT_SECONDS)) == 0
    assert await store.purge_webhooks(before) == 2
    rows = await count_rows(database)
    assert (rows.get("deliveries"), rows.get("events")) == (1, None)
    assert await taken_events(store) == []


async def test_the_overview_counts_what_is_not_delivered(store: BatchStore) -> None:
    assert (await store.read_delivery_overview()).oldest_pending_seconds == 0
    await ended(store, "one", "two")
    await store.end_queue(BILLING, "gone")
    await create(store, 0, "three")
    overview = await store.read_delivery_overview()
    assert (overview.pending, overview.dead) == (0, 2)
    assert overview.oldest_pending_seconds > 0
