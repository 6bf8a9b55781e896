"""Fault 1: duplicate reports, shuffled and concurrent, to three servers."""

import random

from tests.faults.cluster import cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.workload import Workers, create_batches, make_plan
from tests.support.progress import stub_of

WORKERS = 1_000
CHANNELS = 12
COPIES_MAX = 5


def sizes_of(*, full: bool) -> dict[str, int]:
    """Return a hot batch and many small ones, at full size with about 100,000 reports."""
    hot, small, number = (20_000, 67, 199) if full else (1_500, 20, 40)
    return {"hot": hot, **{f"batch-{one}": small for one in range(number)}}


async def test_duplicates_are_counted_once(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """1,000 workers send each report one to five times, shuffled, and every job is counted once."""
    plan = make_plan(order, sizes_of(full=full), copies_max=COPIES_MAX)
    ledger = Ledger()
    async with cluster(target.url, 3) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        await Workers(ledger, channels, WORKERS).send_all(plan)
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("duplicate storm", len(plan.reports) - len(plan.outcomes), ledger)
