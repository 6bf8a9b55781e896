"""Fault 6: the network between workers and servers drops answers, resets, stalls and delays connections."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.faults.channels import open_channels
from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.proxy import Link, Proxy, Tap, proxy
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

SERVERS = 2
WORKERS = 300
CHANNELS = 6
TRY_SECONDS_MAX = 1.0
"""Longer than a report on a slow link (0.5 s), but short, so that a dead link costs little time."""
LATENCY_SECONDS = 0.2
"""The latency in each direction, as for a worker on another continent."""
SLOW_SHARE = 0.2
"""The share of slow connections."""
DROP_SECONDS = (0.03, 0.2)
"""The time from the first dropped answer to the reset: that of some commits."""
STALL_SECONDS = (0.1, 1.5)
"""Some shorter, some longer than the deadline of an attempt."""
HALF_OPEN_MAX = 2
"""Half-open connections at the same time, out of twelve, so that every worker has a working one."""
HALF_OPEN_SECONDS = (2.0, 15.0)
"""Quick and full. At full size, the keepalive of the client must end them, after 7 s; a quick run is too
short for this, so the network resets them."""
FAULTS = ("drop", "reset", "stall", "half-open")
FAULT_WEIGHTS = (70, 12, 12, 6)
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 6_000),  # the server refuses pings more often than every 5 s
    ("grpc.keepalive_timeout_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),  # there is no call between two attempts
    ("grpc.http2.max_pings_without_data", 0),
    # A ping for bandwidth may be pending already, and then the keepalive waits for its answer.
    ("grpc.http2.ping_timeout_ms", 1_000),
)
"""Ends half-open connections; otherwise the kernel ends them after a quarter of an hour."""
HEADERS_FRAME = 1
END_STREAM = 0x1
FRAME_HEAD_BYTES = 9


def sizes_of(*, full: bool) -> dict[str, int]:
    """Return a hot batch and small ones, at full size enough to keep the workers busy."""
    hot, small, number = (10_000, 100, 50) if full else (2_000, 40, 25)
    return {"hot": hot, **{f"batch-{one}": small for one in range(number)}}


class AnswersCount:
    """Counts answers in the bytes of an HTTP/2 server: HEADERS frames that end a stream."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, chunk: bytes) -> int:
        """Return the number of answers that end in the next bytes."""
        answers = 0
        rest = self._rest + chunk
        while len(rest) >= (end := FRAME_HEAD_BYTES + int.from_bytes(rest[:3], "big")):
            answers += rest[3] == HEADERS_FRAME and bool(rest[4] & END_STREAM)
            rest = rest[end:]
        self._rest = rest
        return answers


class LossyNetwork(Tap):
    """Breaks the connections of workers to servers.

    Args:
        order: The source of random numbers.
        half_open_seconds: When a half-open connection is reset.

    """

    def __init__(self, order: random.Random, half_open_seconds: float) -> None:
        self.lost_answers = 0
        self.faults = dict.fromkeys(FAULTS, 0)
        self._order = order
        self._half_open_seconds = half_open_seconds
        self._first = order.sample(FAULTS, len(FAULTS))
        self._answers: dict[Link, AnswersCount] = {}
        self._stalls: set[asyncio.Task[None]] = set()

    def opened(self, link: Link) -> None:
        """Slow down some connections."""
        self._answers[link] = AnswersCount()
        if self._order.random() < SLOW_SHARE:
            link.delay(LATENCY_SECONDS)

    def answer(self, link: Link, chunk: bytes) -> None:
        """Count dropped answers."""
        answers = self._answers[link].take(chunk)
        if link.answers.dropping:
            self.lost_answers += answers

    async def break_at_random(self, proxies: list[Proxy], answers: int, ledger: Ledger) -> None:
        """Break connections in all ways until `answers` answers are lost."""
        while self._first or self.lost_answers < answers:
            await ledger.more_reports(self._order.randint(5, 60))
            links = [link for between in proxies for link in between.links if link.breakable]
            if links:
                await self._break(self._order.choice(links), proxies)
        await asyncio.gather(*self._stalls)

    async def _break(self, link: Link, proxies: list[Proxy]) -> None:
        fault = self._first.pop() if self._first else self._order.choices(FAULTS, FAULT_WEIGHTS)[0]
        if fault == "half-open" and _half_open(proxies) >= HALF_OPEN_MAX:
            fault = "drop"
        self.faults[fault] += 1
        if fault == "half-open":
            link.leave_half_open()
            asyncio.get_running_loop().call_later(self._half_open_seconds, link.cut)
        elif fault == "stall":
            self._stall(link)
        elif fault == "drop":
            link.answers.dropping = True
            await asyncio.sleep(self._order.uniform(*DROP_SECONDS))
        if fault in {"drop", "reset"}:
            link.cut()

    def _stall(self, link: Link) -> None:
        stall = asyncio.create_task(link.stall(self._order.uniform(*STALL_SECONDS)))
        self._stalls.add(stall)
        stall.add_done_callback(self._stalls.discard)


def _half_open(proxies: list[Proxy]) -> int:
    return sum(link.half_open for between in proxies for link in between.links)


@asynccontextmanager
async def proxies_before(servers: Cluster, network: Tap) -> AsyncIterator[list[Proxy]]:
    """Run a proxy in front of every server."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(proxy(port, network)) for port in servers.ports]


async def test_a_lossy_network_loses_no_result(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Each result is counted once, despite lost answers and broken connections."""
    answers = 5_000 if full else 150
    network = LossyNetwork(order, HALF_OPEN_SECONDS[full])
    plan = make_plan(order, sizes_of(full=full))
    ledger = Ledger()
    async with (
        cluster(target.url, SERVERS) as servers,
        proxies_before(servers, network) as proxies,
        open_channels([between.port for between in proxies], CHANNELS, options=KEEPALIVE) as channels,
    ):
        await create_batches(stub_of(channels[0]), plan)
        breaking = asyncio.create_task(network.break_at_random(proxies, answers, ledger))
        await send_until(breaking, Workers(ledger, channels, WORKERS, TRY_SECONDS_MAX), plan)
        await breaking
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("lossy network", network.lost_answers, ledger)
