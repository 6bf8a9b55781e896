"""Fault 8: servers are restarted one after the other, as in a rollout."""

import asyncio
import random
import signal

from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

SERVERS = 3
WORKERS = 1_000
CHANNELS = 10


def sizes_of(*, full: bool) -> dict[str, int]:
    """Return a hot batch and many small ones, with more jobs than workers throughout the rollout."""
    hot, number = (5_000, 60) if full else (1_000, 20)
    return {"hot": hot, **{f"batch-{one}": 50 for one in range(number)}}


async def roll_out(servers: Cluster, rollouts: int, ledger: Ledger) -> list[int]:
    """Restart every server in turn under load; return the exit codes."""
    codes = []
    for _ in range(rollouts):
        for place in range(SERVERS):
            await ledger.more_reports(100)
            codes.append(await servers.end(place, signal.SIGTERM))
            await servers.start(place)
    return codes


async def test_a_rollout_fails_no_worker(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Every server exits with 0, and none of 1,000 workers sees a failure."""
    rollouts = 20 if full else 1
    plan = make_plan(order, sizes_of(full=full))
    ledger = Ledger()
    async with cluster(target.url, SERVERS) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        rolling = asyncio.create_task(roll_out(servers, rollouts, ledger))
        await send_until(rolling, Workers(ledger, channels, WORKERS), plan)
        codes = await rolling
    assert set(codes) == {0}
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("rolling restart", len(codes), ledger)
