"""Fault 2: a server is killed in the middle of its work."""

import asyncio
import random
import signal

from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

SERVERS = 3
WORKERS = 300
CHANNELS = 6


def sizes_of(*, full: bool) -> dict[str, int]:
    """Return a hot batch and many small ones, with more jobs than workers."""
    hot, number = (2_000, 50) if full else (600, 15)
    return {"hot": hot, **{f"batch-{one}": 40 for one in range(number)}}


async def kill_at_random(servers: Cluster, order: random.Random, times: int, ledger: Ledger) -> None:
    """Kill and restart random servers, each after some more reports."""
    for _ in range(times):
        await ledger.more_reports(order.randint(50, 400))
        place = order.randrange(SERVERS)
        await servers.end(place, signal.SIGKILL)
        await servers.start(place)


async def test_a_killed_server_loses_nothing(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Random servers are killed under load; counts stay exact and every worker finishes."""
    kills = 30 if full else 3
    plan = make_plan(order, sizes_of(full=full))
    ledger = Ledger()
    async with cluster(target.url, SERVERS) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        killing = asyncio.create_task(kill_at_random(servers, order, kills, ledger))
        await send_until(killing, Workers(ledger, channels, WORKERS), plan)
        await killing
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("server killed", kills, ledger)
