"""The answer to a commit is lost: the transaction is retried and takes effect once."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url

from batches.batch import BatchState, Tally
from batches.repair import RepairPlan
from batches.store import engines
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.losing_proxy import LosingProxy
from tests.integration.store.steps import (
    DUPLICATE,
    create,
    differences,
    on_servers,
    recorded,
    report,
)
from tests.support.samples import FAILED, result, results
from tests.support.storage import Databases

pytestmark = on_servers


@pytest.fixture
def proxy(databases: Databases) -> LosingProxy:
    """Return the proxy in front of the server."""
    server = databases.server
    assert server is not None
    return LosingProxy(server.host, server.port)


@pytest.fixture
async def cut_off(
    database_url: str, proxy: LosingProxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BatchStore]:
    """Return a store that connects through the proxy."""
    monkeypatch.setattr(engines, "STATEMENT_SECONDS_MAX", 0.5)
    async with proxy.listening() as port:
        url = make_url(database_url).set(host="127.0.0.1", port=port)
        database = Database(url.render_as_string(hide_password=False), connections_max=1)
        await database.ping()  # the driver commits once after connecting
        yield BatchStore(database)
        await database.close()
    assert proxy.lost_answers == 1


@pytest.mark.parametrize("stays_silent", [False, True], ids=["hangs up", "stays silent"])
async def test_results_are_recorded_once(
    store: BatchStore,
    cut_off: BatchStore,
    proxy: LosingProxy,
    *,
    stays_silent: bool,
) -> None:
    """The retry finds them as duplicates."""
    await create(store, 10)
    proxy.answers_to_lose, proxy.stays_silent = 1, stays_silent
    assert await report(cut_off, *results(3), result("job", FAILED)) == [DUPLICATE] * 4
    batch = await store.get_batch("batch")
    assert (batch.tally, batch.revision) == (Tally(3, 1), 2)
    assert len(await recorded(store)) == 4
    assert await differences(store) == []


async def test_a_batch_is_created_once(store: BatchStore, cut_off: BatchStore, proxy: LosingProxy) -> None:
    """The retry finds the batch that the first try created."""
    proxy.answers_to_lose = 1
    created = await create(cut_off, 10, team="sync")
    assert (await store.get_batch("batch")).batch_key == created.batch_key
    assert created.revision == 1


async def test_jobs_are_added_once(store: BatchStore, cut_off: BatchStore, proxy: LosingProxy) -> None:
    """The retry finds its request_id used."""
    await create(store, 10, sealed=False)
    proxy.answers_to_lose = 1
    assert (await cut_off.add_jobs("batch", 5, "request")).total_jobs == 15
    assert (await store.get_batch("batch")).total_jobs == 15


async def test_a_seal_is_one_change(store: BatchStore, cut_off: BatchStore, proxy: LosingProxy) -> None:
    """The retry finds the batch sealed."""
    await create(store, 0, sealed=False)
    proxy.answers_to_lose = 1
    batch = await cut_off.seal_batch("batch")
    assert (batch.state, batch.revision) == (BatchState.COMPLETED, 2)


async def test_a_cancellation_is_one_change(
    store: BatchStore, cut_off: BatchStore, proxy: LosingProxy
) -> None:
    """The retry finds the batch cancelled."""
    await create(store, 10)
    proxy.answers_to_lose = 1
    batch = await cut_off.cancel_batch("batch")
    assert (batch.state, batch.revision) == (BatchState.CANCELLED, 2)


async def test_a_repair_is_made_once(store: BatchStore, cut_off: BatchStore, proxy: LosingProxy) -> None:
    """The retry finds the batch changed, by the first try, and does nothing."""
    await create(store, 10)
    plan = RepairPlan("batch", 1, "reason", closes=True, total_jobs=5, unattributed=Tally(5))
    proxy.answers_to_lose = 1
    assert await cut_off.write_repair(plan) is None
    batch = await store.get_batch("batch")
    assert (batch.state, batch.tally, batch.revision) == (BatchState.COMPLETED, Tally(5), 2)
    assert len((await store.list_repairs("batch", before_key=None, size=10)).items) == 1


async def test_a_lease_is_acquired(store: BatchStore, cut_off: BatchStore, proxy: LosingProxy) -> None:
    """The retry renews it."""
    proxy.answers_to_lose = 1
    assert await cut_off.acquire_lease("pass", "first", 60)
    assert not await store.acquire_lease("pass", "second", 60)
