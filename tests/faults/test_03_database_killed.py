"""Fault 3: the database is killed in the middle of commits, and restarted."""

import asyncio
import random

from database_servers import DatabaseServer
from tests.faults.cluster import cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

WORKERS = 300
CHANNELS = 4
SERVING_AGAIN_SECONDS_MAX = 10.0
"""The promise, from the greeting of the restarted database on."""


def sizes_of(*, full: bool) -> dict[str, int]:
    """Return a hot batch and many small ones, with more jobs than workers."""
    hot, number = (3_000, 50) if full else (600, 15)
    return {"hot": hot, **{f"batch-{one}": 40 for one in range(number)}}


async def kill_again_and_again(
    server: DatabaseServer, order: random.Random, times: int, ledger: Ledger
) -> list[float]:
    """Kill and restart the database under load; return the seconds from each restart to the next answer."""
    seconds = []
    loop = asyncio.get_running_loop()
    for _ in range(times):
        await ledger.more_reports(order.randint(50, 400))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        back = loop.time()
        await ledger.more_answers(1)
        seconds.append(loop.time() - back)
    return seconds


async def test_a_killed_database_loses_nothing_acknowledged(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """The database is killed under load; acknowledged rows are kept and servers recover by themselves."""
    kills = 10 if full else 2
    plan = make_plan(order, sizes_of(full=full))
    ledger = Ledger()
    async with cluster(target.url, 2) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        killing = asyncio.create_task(kill_again_and_again(target.server, order, kills, ledger))
        await send_until(killing, Workers(ledger, channels, WORKERS), plan)
        seconds = await killing
    assert ledger.acknowledged == plan.outcomes.keys()
    assert max(seconds) <= SERVING_AGAIN_SECONDS_MAX
    await verdict("database killed", kills, ledger)
