"""The new writer of an asynchronous pair lacks changes: watches go on, and results are restored."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from sqlalchemy import make_url

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress import AsyncClient, Batch, BatchState
from database_servers import ENGINES
from database_servers.haproxy import database_proxy
from services.progress import watch as watch_module
from tests.cluster.database_cluster import upgrade
from tests.cluster.replication import Pair, pair_of
from tests.faults.conftest import FULL
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.eventually import eventually
from tests.support.progress import Served, served
from tests.support.queue_fake import FakeBatch, QueueFake
from tests.support.queue_fake import served as queue_served

TOTAL, REPLICATED, LOST = 100, 40, 30
"""Of all jobs, those whose results the replica has, and those that only the first writer had."""
OLDER_SECONDS_MAX = watch_module.OLDER_SECONDS_MAX if FULL else 2.0
"""How long a server waits for a node that lags behind; the quick size does not wait so long."""


@dataclass(slots=True)
class Watcher:
    """A program that watches the batch with our client."""

    states: list[Batch] = field(default_factory=list)

    async def follow(self, target: str, after_revision: int = 0) -> None:
        """Watch to the end."""
        async with AsyncClient(target) as client:
            async for batch in client.watch("b", after_revision=after_revision):
                self.states.append(batch)

    def has_seen(self, ended_jobs: int) -> bool:
        """Return whether its last state has so many results."""
        return bool(self.states) and self.states[-1].ended_jobs == ended_jobs


@pytest.fixture(scope="module", params=ENGINES if FULL else ENGINES[:1])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Return a pair of each engine."""
    with pair_of(request.param, semi_synchronous=False) as pair:
        yield pair


@asynccontextmanager
async def scene_behind_haproxy(pair: Pair) -> AsyncIterator[tuple[Scene, Served]]:
    """Serve on a new database behind haproxy; the queue knows that all jobs have succeeded."""
    with database_proxy(pair.nodes) as proxy:
        await eventually(lambda: proxy.writers() == [pair.source])
        url = make_url(pair.url(pair.source, await pair.new_database())).set(port=proxy.port)
        text = url.render_as_string(hide_password=False)
        await upgrade(text)
        queue = QueueFake({one: FakeBatch(jobs(TOTAL)) for one in ("b", "ended")})
        async with queue_served(queue) as target, served(text) as server:
            database = Database(text, connections_max=2)
            try:
                yield Scene(text, database, BatchStore(database), queue, target), server
            finally:
                await database.close()


async def report(server: Served, batch_id: str, first: int, number: int) -> None:
    """Report some jobs, each with a revision of its own."""
    for one in range(first, first + number):
        await server.report(batch_id, f"job-{one:05}")


async def test_a_rewound_history_is_watched_on_and_restored_from_the_queue(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watchers above the new history get every later state and the end."""
    monkeypatch.setattr(watch_module, "OLDER_SECONDS_MAX", OLDER_SECONDS_MAX)
    async with scene_behind_haproxy(pair) as (scene, server), asyncio.TaskGroup() as watching:
        target = f"127.0.0.1:{server.port}"
        before, after = Watcher(), Watcher()
        await server.create("b", TOTAL)
        await server.create("ended", TOTAL)
        ends = [watching.create_task(before.follow(target))]
        await report(server, "b", 0, REPLICATED)
        await report(server, "ended", 0, REPLICATED)
        await pair.until_equal()
        await pair.stop_replicating()
        await report(server, "b", REPLICATED, LOST)
        await report(server, "ended", REPLICATED, TOTAL - REPLICATED)
        await server.create("lost", 1)
        await eventually(lambda: before.has_seen(REPLICATED + LOST))
        above = before.states[-1].revision

        await asyncio.to_thread(pair.source.kill)
        await pair.fail_over()
        await eventually(lambda: before.has_seen(REPLICATED))
        ends.append(watching.create_task(after.follow(target, above)))
        await eventually(lambda: after.has_seen(REPLICATED))
        assert before.states[-1].revision < above
        with pytest.raises(grpc.aio.AioRpcError, match="there is no batch lost"):
            await server.get("lost")

        done = await scene.run_process("--all")
        await asyncio.gather(*ends)
    for watcher in (before, after):
        assert watcher.states[-1].state is BatchState.COMPLETED
        assert watcher.states[-1].succeeded_jobs == TOTAL
    assert done.code == 0
    assert done.summary["results_recorded"] == 2 * (TOTAL - REPLICATED)
    told = f"{TOTAL - REPLICATED} of {TOTAL} results were missing; taken from the queue's list"
    assert {line.split()[0] for line in done.lines if line.endswith(told)} == {"b", "ended"}
