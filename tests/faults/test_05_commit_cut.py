"""Fault 5: the connection to the database is cut between COMMIT and its answer."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.proxy import Link, Tap, proxy
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

SERVERS = 2
WORKERS = 300
CHANNELS = 4
SIZES = {"hot": 3_000, **{f"batch-{number}": 40 for number in range(50)}}
COMMIT = b"COMMIT"
"""The end of what the client sends before it waits for the answer."""
CUT_SHARE = 0.3
"""The share of commits that are cut: often two in a row, but most succeed."""
CUT_SECONDS_MAX = 0.02
"""From COMMIT to the cut; commits take 1 to 10 ms, so cuts happen before, during and after them."""


class CommitCutter(Tap):
    """Forwards a COMMIT, drops its answer, and cuts the connection soon after.

    Args:
        order: The source of random numbers.
        cuts: The number of cuts.

    """

    def __init__(self, order: random.Random, cuts: int) -> None:
        self.done = asyncio.Event()
        self.cuts = 0
        self.lost_answers = 0
        self._order = order
        self._cuts_max = cuts

    def request(self, link: Link, chunk: bytes) -> None:
        """Decide whether this commit is cut."""
        if chunk.endswith(COMMIT) and not self.done.is_set() and self._order.random() < CUT_SHARE:
            link.answers.dropping = True
            seconds = self._order.uniform(0, CUT_SECONDS_MAX)
            asyncio.get_running_loop().call_later(seconds, self._cut, link)

    def _cut(self, link: Link) -> None:
        self.cuts += link.breakable
        link.cut()
        self.lost_answers += bool(link.answers.dropped_bytes)
        if self.cuts >= self._cuts_max:
            self.done.set()


@asynccontextmanager
async def servers_behind(cutter: CommitCutter, target: Target) -> AsyncIterator[Cluster]:
    """Run servers that reach the database through a proxy."""
    url = make_url(target.url)
    assert url.port is not None
    async with proxy(url.port, cutter) as between:
        through = url.set(host="127.0.0.1", port=between.port).render_as_string(hide_password=False)
        async with cluster(through, SERVERS) as servers:
            yield servers


async def test_results_of_a_cut_commit_are_counted_once(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Counts are exact whether or not the database had executed the COMMIT."""
    cutter = CommitCutter(order, cuts=500 if full else 15)
    plan = make_plan(order, SIZES)
    ledger = Ledger()
    async with servers_behind(cutter, target) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        cutting = asyncio.create_task(cutter.done.wait())
        await send_until(cutting, Workers(ledger, channels, WORKERS), plan)
    assert cutter.lost_answers > 0  # the database had executed some of them
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("commit cut", cutter.cuts, ledger)
