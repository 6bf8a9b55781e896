"""Reports are counted once and watches see the end through each proxy, whatever fails or restarts."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from batchprogress import AsyncClient
from batchprogress._grpc.connection import Connection
from tests.faults.cluster import Cluster
from tests.faults.conftest import FULL
from tests.faults.evidence import findings
from tests.faults.ledger import Ledger
from tests.faults.workload import Plan, Workers, create_batches, make_plan, send_until
from tests.proxies.conftest import SERVERS
from tests.proxies.running import Running
from tests.support.progress import stub_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True),
]
WORKERS = 1_000 if FULL else 100
"""Each has a connection of its own, as worker processes have."""
WATCHERS = 200 if FULL else 20
"""Of one client; 64 of them share a connection."""
BATCHES = 5
END_SECONDS_MAX = 240.0
"""Nobody hangs: a test takes a few seconds."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a trouble may break."""

    servers: Cluster
    proxy: Running
    ledger: Ledger
    url: str

    async def busy(self) -> None:
        """Wait until workers have reported for a while."""
        await self.ledger.more_answers(WORKERS)


@pytest.fixture
def scene(servers: Cluster, proxy: Running, ledger: Ledger, url: str) -> Scene:
    """Return the servers and the proxy of this test."""
    return Scene(servers, proxy, ledger, url)


async def kill_one(scene: Scene) -> None:
    """Kill a server, and start it again while the other one serves."""
    await scene.busy()
    await scene.servers.end(0, signal.SIGKILL)
    await scene.busy()
    await scene.servers.start(0)
    await scene.busy()


async def kill_both(scene: Scene) -> None:
    """Kill both servers, and start them again."""
    await scene.busy()
    for place in range(SERVERS):
        await scene.servers.end(place, signal.SIGKILL)
    await asyncio.gather(*(scene.servers.start(place) for place in range(SERVERS)))
    await scene.busy()


async def replace_both(scene: Scene) -> None:
    """Replace one server after the other, as a rollout does."""
    for place in range(SERVERS):
        await scene.busy()
        assert await scene.servers.end(place, signal.SIGTERM) == 0
        await scene.servers.start(place)
    await scene.busy()


async def reload(scene: Scene) -> None:
    """Reload the configuration of the proxy, and wait until the old processes have ended."""
    await scene.busy()
    await scene.proxy.reload()
    await scene.busy()
    await scene.proxy.old_processes_ended()


TROUBLES = (kill_both, reload, kill_one, replace_both)


@asynccontextmanager
async def connections(target: str, number: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Open a channel for each worker, as our clients do."""
    async with AsyncExitStack() as stack:
        channels = [Connection(target).open_async() for _ in range(number)]
        yield [await stack.enter_async_context(channel) for channel in channels]


async def end_of(client: AsyncClient, batch_id: str) -> int:
    """Watch a batch to its end; return how many jobs had ended."""
    ended = 0
    async for batch in client.watch(batch_id):
        ended = batch.ended_jobs
    return ended


def parts(plan: Plan) -> tuple[Plan, Plan]:
    """Keep the last job of each batch back, so that no batch ends before the trouble is over."""
    kept = {(batch_id, f"job-{size - 1}") for batch_id, size in plan.sizes.items()}
    early = [job for job in plan.reports if job not in kept]
    return Plan(plan.sizes, plan.outcomes, early), Plan(plan.sizes, plan.outcomes, 2 * sorted(kept))


@pytest.mark.parametrize("trouble", TROUBLES if FULL else TROUBLES[:2])
async def test_nothing_is_lost_and_every_watch_sees_the_end(
    scene: Scene,
    order: random.Random,
    trouble: Callable[[Scene], Coroutine[Any, Any, None]],
    figures: Callable[[str], None],
) -> None:
    """Every report is sent at least twice, and none is refused."""
    ledger = scene.ledger
    names = [f"{scene.proxy.name}-{trouble.__name__}-{number}" for number in range(BATCHES)]
    plan = make_plan(order, dict.fromkeys(names, WORKERS // BATCHES), copies_max=2)
    early, late = parts(plan)
    async with (
        asyncio.timeout(END_SECONDS_MAX),
        connections(scene.proxy.target, WORKERS) as channels,
        AsyncClient(scene.proxy.target) as client,
    ):
        await create_batches(stub_of(channels[0]), plan)
        watched = [names[number % BATCHES] for number in range(WATCHERS)]
        watching = [asyncio.create_task(end_of(client, batch_id)) for batch_id in watched]
        workers = Workers(ledger, channels, WORKERS)
        happening = asyncio.create_task(trouble(scene))
        await send_until(happening, workers, early)
        await happening
        await workers.send_all(late)
        ends = await asyncio.gather(*watching)
    found = await findings(ledger, scene.url)
    recorded = len(ledger.acknowledged & plan.outcomes.keys())
    figures(
        f"{len(plan.reports):,} reports of {recorded:,} jobs, {len(found.lost)} lost, {len(found.doubled)}"
        f" doubled; {ends.count(WORKERS // BATCHES)} of {WATCHERS} watches saw the end"
    )
    assert set(ends) == {WORKERS // BATCHES}
    assert ledger.acknowledged >= plan.outcomes.keys()
    assert not found
    assert not ledger.refused
