"""Client.deliveries and Client.retry_delivery, of threads and of event loops."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from batches.delivery import DeliveryState as StoredState
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress import AsyncClient, Client, DeliveryNotFound, DeliveryState
from batchprogress.testing import Server
from batchprogress.testing.pytest_plugin import progress_server
from tests.integration.client.either import Either, opened
from tests.integration.store.steps import create
from tests.support.webhooks import claim, hand_over, keep

__all__ = ["progress_server"]


@pytest_asyncio.fixture(params=[Client, AsyncClient])
async def client(request: pytest.FixtureRequest, target: str) -> AsyncIterator[Either]:
    """Give a client of each kind."""
    async with opened(request.param, target) as either:
        yield either


async def test_a_dead_delivery_is_sent_again(client: Either, tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/t.db", connections_max=1)
    store = BatchStore(database)
    await store.want_events()
    for batch_id in ("a", "b"):
        await create(store, 0, batch_id)
    await hand_over(store)
    await keep(store, (await claim(store))[0], StoredState.DEAD)
    await database.close()
    newest, oldest = await client.every("deliveries", page_size=1)
    (dead,) = await client.every("deliveries", state=DeliveryState.DEAD)
    assert (dead, dead.batch_id, dead.last_answer) == (oldest, "a", "dead")
    assert (dead.event_type, dead.subscription, dead.attempts) == ("batch.completed", "billing", 1)
    assert (dead.next_attempt_time, newest.end_time) == (None, None)
    assert [one.batch_id for one in await client.every("deliveries", batch_id="b")] == ["b"]
    again = await client.call("retry_delivery", dead.delivery_id)
    assert (again.state, again.attempts, again.end_time) == (DeliveryState.PENDING, 0, None)


async def test_an_unknown_delivery_is_not_found(client: Either) -> None:
    with pytest.raises(DeliveryNotFound, match="there is no delivery x"):
        await client.call("retry_delivery", "x")


def test_the_server_of_tests_has_no_deliveries(progress_server: Server) -> None:
    assert list(progress_server.client.deliveries()) == []
    with pytest.raises(DeliveryNotFound):
        progress_server.client.retry_delivery("x")
