"""Fault 16: batches end while server, notifiers and receiver are killed, and the receiver answers badly."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from batches.batch import BatchState
from batches.store import schema
from batches.store.batch_store import BatchStore
from database_servers.ports import free_port
from tests.faults import summary
from tests.faults.cluster import Cluster, cluster
from tests.faults.evidence import findings
from tests.faults.ledger import Ledger
from tests.faults.restarted import Restarted, restarted
from tests.faults.webhook_batches import KINDS, Stories, kind_of
from tests.faults.webhook_receipts import Milestones, Receipts
from tests.faults.workload import Workers
from tests.support.eventually import eventually
from tests.support.progress import Stub, stub_of
from tests.support.receiver import SECRET, subscription, write_subscriptions

NOTIFIERS = 2
CHANNELS = 4
ATTEMPT_SECONDS_MAX = 0.5
"""How long a hanging receiver occupies an attempt."""
RECEIVER_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens."""

    batches: int
    workers: int
    kills: int
    """Of servers, of notifiers and of the receiver, each."""
    servers: int
    seconds_max: float
    """Of the ends with their kills, and of the deliveries after them, each; lost events would never end."""


QUICK = Size(batches=150, workers=50, kills=2, servers=1, seconds_max=120)
FULL = Size(batches=10_000, workers=300, kills=5, servers=2, seconds_max=600)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens, and how much."""

    url: str
    store: BatchStore
    folder: Path
    order: random.Random
    size: Size
    ledger: Ledger


@pytest.fixture
def scene(  # noqa: PLR0913, PLR0917  # it brings fixtures together
    database_url: str,
    database_engine: str,
    store: BatchStore,
    tmp_path: Path,
    order: random.Random,
    full: bool,  # noqa: FBT001  # a fixture
) -> Scene:
    """Return an empty database of each engine; SQLite is for one server."""
    size = FULL if full else QUICK
    if database_engine == "sqlite":
        size = replace(size, servers=1)
    return Scene(database_url, store, tmp_path, order, size, Ledger())


def draw_batches(order: random.Random, number: int) -> list[str]:
    """Return the ids of batches, at least one of each kind."""
    weights = [kind.weight for kind in KINDS.values()]
    kinds = [*KINDS, *order.choices(list(KINDS), weights, k=number - len(KINDS))]
    return [f"{kind}-{one}" for one, kind in enumerate(order.sample(kinds, number))]


async def for_each(
    stubs: Sequence[Stub],
    batches: Sequence[str],
    workers: int,
    do: Callable[[Stub, str], Awaitable[None]],
    done: Milestones,
) -> None:
    """Do something with each batch, with many workers at a time."""
    left = iter(batches)

    async def work(stub: Stub) -> None:
        for batch_id in left:
            await do(stub, batch_id)
            done.add()

    await asyncio.gather(*(work(stubs[number % len(stubs)]) for number in range(workers)))


async def kill_at(
    points: Sequence[int], milestones: Milestones, restart_one: Callable[[], Awaitable[None]]
) -> None:
    """Kill and restart a process whenever a number of things has happened."""
    for point in sorted(points):
        await milestones.reach(point)
        await restart_one()


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Two notifiers and a receiver, each a process."""

    receiver: Restarted
    notifiers: list[Restarted]
    receipts: Receipts


@asynccontextmanager
async def sending(database_url: str, folder: Path, seed: int) -> AsyncIterator[Webhooks]:
    """Send webhooks while the context is open."""
    port, receipts = free_port(), Receipts(SECRET)
    environment = {
        "BATCHES_DATABASE_URL": database_url,
        "NOTIFIER_SUBSCRIPTIONS_FILE": str(
            write_subscriptions(folder, subscription(f"http://127.0.0.1:{port}/hooks"))
        ),
        "NOTIFIER_ALLOW_PRIVATE_ADDRESSES": "true",
        "NOTIFIER_ATTEMPT_SECONDS_MAX": str(ATTEMPT_SECONDS_MAX),
        "NOTIFIER_RECEIVER_CONCURRENCY": str(RECEIVER_CONCURRENCY),
    }
    receiver = ("tests.faults.webhook_receiver", str(port), str(seed))
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(restarted(receiver, {}, folder / "receiver.log", receipts.note))
        notifiers = [
            await stack.enter_async_context(
                restarted(["tests.faults.quick_notifier"], environment, folder / f"notifier-{one}.log")
            )
            for one in range(NOTIFIERS)
        ]
        yield Webhooks(one, notifiers, receipts)


async def restart(process: Restarted) -> None:
    """Kill a process and start it again."""
    await process.kill()
    await process.start()


async def is_all_delivered(store: BatchStore) -> bool:
    """Return whether no event and no delivery waits."""
    overview = await store.read_delivery_overview()
    return overview.pending == 0 and overview.oldest_pending_seconds == 0


async def states(store: BatchStore) -> dict[str, BatchState]:
    """Return the state of each batch."""
    table = schema.batches.c
    async with store._database.engine.connect() as connection:  # noqa: SLF001
        rows = await connection.execute(select(table.batch_id, table.state))
        return {batch_id: BatchState(state) for batch_id, state in rows}


async def kill_all(scene: Scene, servers: Cluster, webhooks: Webhooks, ended: Milestones) -> None:
    """Kill servers after some ends, and notifiers and the receiver after some attempts."""
    order, size = scene.order, scene.size

    async def restart_server() -> None:
        place = order.randrange(size.servers)
        await servers.end(place, signal.SIGKILL)
        await servers.start(place)

    received = webhooks.receipts.milestones
    async with asyncio.TaskGroup() as faults:
        faults.create_task(kill_at(_points(order, size), ended, restart_server))
        faults.create_task(kill_at(_points(order, size), received, lambda: restart(webhooks.receiver)))
        faults.create_task(
            kill_at(_points(order, size), received, lambda: restart(order.choice(webhooks.notifiers)))
        )


async def run(scene: Scene, batches: Sequence[str]) -> Receipts:
    """End batches while everything is killed; return what was received once all is delivered."""
    size, store, ended = scene.size, scene.store, Milestones()
    async with (
        cluster(scene.url, size.servers) as servers,
        servers.channels(CHANNELS) as channels,
        sending(scene.url, scene.folder, scene.order.getrandbits(32)) as webhooks,
    ):
        stubs = [stub_of(channel) for channel in channels]
        stories = Stories(Workers(scene.ledger, channels, size.workers), store)
        await store.want_events()  # the notifiers have done it, or are about to
        await for_each(stubs, batches, size.workers, stories.create, Milestones())
        begun = time.monotonic()
        async with asyncio.timeout(size.seconds_max), asyncio.TaskGroup() as faults:
            faults.create_task(kill_all(scene, servers, webhooks, ended))
            await for_each(stubs, batches, size.workers, stories.end, ended)
            print(f"{size.batches} batches ended in {time.monotonic() - begun:.1f} s")
        await eventually(lambda: is_all_delivered(store), size.seconds_max)
        print(f"all was delivered after {time.monotonic() - begun:.1f} s")
    return webhooks.receipts


def _points(order: random.Random, size: Size) -> list[int]:
    return order.sample(range(1, size.batches * 3 // 4), size.kills)


async def test_each_end_is_told_at_least_once_and_nothing_else(
    scene: Scene, database_engine: str, seed: int, request: pytest.FixtureRequest
) -> None:
    """Events are delivered, verified, in order and with one id each, whatever is killed."""
    batches, ledger = draw_batches(scene.order, scene.size.batches), scene.ledger
    receipts = await run(scene, batches)
    expected = {batch_id: KINDS[kind_of(batch_id)].events for batch_id in batches}
    missing, wrong = receipts.missing(expected), receipts.wrong(expected)
    kills = scene.size.kills * 3
    print(f"{kills} kills, {receipts.milestones.number} attempts, {receipts.refused} of them refused")
    found = await findings(ledger, scene.url)
    row = summary.Row.of(("webhooks", database_engine, seed), kills + receipts.refused, ledger, found)
    row = replace(row, lost=row.lost + len(missing), doubled=row.doubled + len(wrong))
    summary.note_row(request.node, row)
    assert await states(scene.store) == {batch_id: KINDS[kind_of(batch_id)].state for batch_id in batches}
    assert (missing, wrong) == ([], [])
    assert not found, found
    assert not ledger.refused, ledger.refused
    assert (await scene.store.read_delivery_overview()).dead == 0
    assert not [log for log in scene.folder.glob("*.log") if "Traceback" in log.read_text()]
