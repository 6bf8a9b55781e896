"""Fault 5: the connection to the database is cut while a commit's answer is awaited."""

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
COMMIT_PACKET = b"\x07\x00\x00\x00\x03COMMIT"
"""Length 7, packet 0, COM_QUERY: the client sends it by itself and waits."""
CUT_SHARE = 0.3
"""Of the commits: often two in a row on one server, yet most groups get through."""
CUT_SECONDS_MAX = 0.02
"""From COMMIT to the cut: a commit takes 1 to 10 ms here, so cuts fall before, within and after it."""


class CommitCutter(Tap):
    """Forwards a COMMIT, loses the answer, and cuts the connection at some moment around it."""

    def __init__(self, order: random.Random, cuts: int) -> None:
        """Take how often to do so."""
        self.done = asyncio.Event()
        self.cuts = 0
        self.lost_answers = 0
        self._order = order
        self._cuts_max = cuts

    def request(self, link: Link, chunk: bytes) -> None:
        """Draw whether this is the last that is heard of a commit."""
        if COMMIT_PACKET in chunk and not self.done.is_set() and self._order.random() < CUT_SHARE:
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
    """Run servers that reach the database through a proxy only."""
    url = make_url(target.url)
    assert url.port is not None
    async with proxy(url.port, cutter) as between:
        through = url.set(host="127.0.0.1", port=between.port).render_as_string(hide_password=False)
        async with cluster(through, SERVERS) as servers:
            yield servers


async def test_an_unknown_commit_is_never_taken_for_a_known_one(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Connections cut between COMMIT and its answer: exact, whether or not the commit was done."""
    cutter = CommitCutter(order, cuts=500 if full else 15)
    plan = make_plan(order, SIZES)
    ledger = Ledger()
    async with servers_behind(cutter, target) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        cutting = asyncio.create_task(cutter.done.wait())
        await send_until(cutting, Workers(ledger, channels, WORKERS), plan)
    assert cutter.lost_answers > 0  # some commits had been done by then
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("commit cut", cutter.cuts, ledger)
