"""From the end of a batch to its receiver: signed, at least once, in order, and tried again."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from batches.delivery import DeliveryFilter, DeliveryState
from batches.look import Look
from batches.new_batch import NewBatch
from batches.settings import DatabaseSettings
from batches.store.batch_store import BatchStore
from services import overview_reader
from services.notifier.settings import NotifierSettings
from services.notifier.wiring import notifier_process
from tests.integration.notifier.conftest import Start
from tests.integration.store.steps import create, on_sqlite
from tests.support.eventually import eventually
from tests.support.receiver import OTHER_SECRET, SECRET, Receiver, subscription, write_subscriptions

pytestmark = on_sqlite

SECONDS_MAX = 10.0

LOOK = Look("batch", "unknown", "the queue does not know it", stuck_after_seconds=0)


async def states(store: BatchStore) -> list[DeliveryState]:
    """Return the states of all deliveries, the newest first."""
    page = await store.list_deliveries(DeliveryFilter(), before_key=None, size=100)
    return [one.state for one in page.items]


async def wait_for_states(store: BatchStore, *expected: DeliveryState) -> None:
    """Return when the deliveries have these states."""

    async def are() -> bool:
        return await states(store) == list(expected)

    await eventually(are)


async def test_an_end_is_delivered_and_verified(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    file = write_subscriptions(tmp_path, subscription(hooks.url))
    async with start(file):
        await eventually(lambda: _wants(store))
        await create(store, 0, team="billing")
        (one,) = await hooks.wait_for(1)
        await wait_for_states(store, DeliveryState.DELIVERED)
    content = json.loads(one.body)
    batch = await store.get_batch("batch")
    assert content["type"] == "batch.completed"
    assert content["timestamp"] == f"{batch.complete_time:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert content["data"]["batch"]["labels"] == {"team": "billing"}
    assert content["data"]["batch"]["state"] == "BATCH_STATE_COMPLETED"
    assert content["data"]["batch"]["percentComplete"] == 100
    (delivery,) = (await store.list_deliveries(DeliveryFilter("batch"), before_key=None, size=1)).items
    assert (delivery.delivery_id, delivery.last_answer) == (one.webhook_id, "answered 200 OK")


async def _wants(store: BatchStore) -> bool:
    await store.want_events()
    return True


async def test_a_failed_delivery_is_sent_again_with_its_id_and_the_next_waits(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    await store.want_events()
    await create(store, 3)
    await store.record_look(LOOK)
    await store.cancel_batch("batch")
    hooks.answer = lambda _: web.Response(status=500 if len(hooks.received) < 4 else 204)
    async with start(write_subscriptions(tmp_path, subscription(hooks.url))):
        received = await hooks.wait_for(5)
        await wait_for_states(store, DeliveryState.DELIVERED, DeliveryState.DELIVERED)
    assert [one.type for one in received] == ["batch.stuck"] * 4 + ["batch.cancelled"]
    assert len({one.webhook_id for one in received}) == 2
    assert "the queue does not know it" in json.loads(received[0].body)["data"]["batch"]["stallReason"]


async def test_a_delivery_is_dead_after_its_last_attempt_and_can_be_sent_again(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    await store.want_events()
    await create(store, 0)
    hooks.answer = lambda _: web.Response(status=503)
    async with start(write_subscriptions(tmp_path, subscription(hooks.url))):
        await wait_for_states(store, DeliveryState.DEAD)
        assert len(hooks.received) == 10
        hooks.answer = lambda _: web.Response()
        (dead,) = (await store.list_deliveries(DeliveryFilter(), before_key=None, size=1)).items
        assert dead.last_answer == "answered 503 Service Unavailable"
        await store.retry_delivery(dead.delivery_id, "")
        await wait_for_states(store, DeliveryState.DELIVERED)
    assert {one.webhook_id for one in hooks.received} == {dead.delivery_id}


async def test_410_ends_a_subscription_until_its_file_changes(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    await store.want_events()
    await create(store, 0, "one")
    hooks.answer = lambda _: web.Response(status=410)
    async with start(write_subscriptions(tmp_path, subscription(hooks.url))) as process:
        await wait_for_states(store, DeliveryState.DEAD)
        await create(store, 0, "two")
        await eventually(lambda: _is_empty(store))
        hooks.answer = lambda _: web.Response()
        write_subscriptions(tmp_path, subscription(hooks.url) + "# once more\n")
        await eventually(lambda: not process.notifier._gone)  # noqa: SLF001
        await create(store, 0, "three")
        await hooks.wait_for(2)
    assert [one.batch_id for one in hooks.received] == ["one", "three"]


async def _is_empty(store: BatchStore) -> bool:
    return (await store.read_delivery_overview()).oldest_pending_seconds == 0


async def test_labels_and_events_select(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    await store.want_events()
    await create(store, 0, "one", team="billing")
    await create(store, 0, "two", team="search")
    await create(store, 1, "three", team="billing")
    await store.cancel_batch("three")
    selected = 'labels = { team = "billing" }\nevents = ["batch.cancelled"]'
    async with start(write_subscriptions(tmp_path, subscription(hooks.url, more=selected))):
        (one,) = await hooks.wait_for(1)
        await eventually(lambda: _is_empty(store))
    assert (one.batch_id, len(hooks.received)) == ("three", 1)


async def test_a_notify_url_is_delivered_to_a_host_of_the_file_alone(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    await store.create_batch(NewBatch("batch", 0, notify_url=hooks.url))
    await store.create_batch(NewBatch("other", 0, notify_url="http://127.0.0.1:9/hooks"))
    host = f'[[notify_host]]\nhost = "127.0.0.1:{hooks.port}"\nsecret_file = "SECRET"\n'
    async with start(write_subscriptions(tmp_path, host)):
        await hooks.wait_for(1)
        await wait_for_states(store, DeliveryState.PENDING, DeliveryState.DELIVERED)
    assert [one.batch_id for one in hooks.received] == ["batch"]


async def test_both_secrets_sign_while_a_secret_is_replaced(
    store: BatchStore, start: Start, hooks: Receiver, tmp_path: Path
) -> None:
    await store.want_events()
    file = write_subscriptions(tmp_path, subscription(hooks.url))
    async with start(file) as process:
        (tmp_path / "secret").write_text(f"{OTHER_SECRET}\n{SECRET}\n")
        await eventually(
            lambda: any(len(one.secrets) == 2 for one in process.notifier.subscriptions.receivers.values())
        )
        await create(store, 0)
        (one,) = await hooks.wait_for(1)
    assert len(one.headers["webhook-signature"].split()) == 2


async def test_a_notifier_without_subscriptions_leaves_events_alone(store: BatchStore, start: Start) -> None:
    await store.want_events()
    await create(store, 0)
    async with start(None):
        await eventually(lambda: _is_waiting(store))
    assert await states(store) == []
    assert not await _is_empty(store)


async def _is_waiting(store: BatchStore) -> bool:
    return not await _is_empty(store)


async def test_the_process_ends_if_a_task_beside_the_notifier_dies(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metrics would stay as they are for ever."""
    monkeypatch.setattr(overview_reader, "READ_SECONDS", None)
    settings = DatabaseSettings(database_url=SecretStr(database_url))
    async with asyncio.timeout(SECONDS_MAX), notifier_process(NotifierSettings(), settings) as (_, working):
        await asyncio.wait([working])
    assert isinstance(working.exception(), ExceptionGroup)
