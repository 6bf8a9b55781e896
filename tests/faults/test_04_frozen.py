"""Fault 4: the database, then a server, is frozen: connections stay open, but nothing answers."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from batchprogress._grpc.retry import TRY_SECONDS_MAX
from batchprogress.v1 import progress_pb2 as pb
from database_servers import DatabaseServer
from tests.faults.calling import call_until_answered
from tests.faults.channels import open_channels
from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.pools import assert_pool_whole
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

SERVERS = 2
WORKERS = 150
"""The number of workers with short deadlines, and of workers with those of the client's retry policy."""
READERS = 20
"""More than all pools have connections, so that every connection is in use when the database freezes."""
CHANNELS = 4
SIZES = {"hot": 800, **{f"batch-{number}": 20 for number in range(20)}}
SHORT_TRY_SECONDS_MAX = 1.0
"""Far less than the time of a freeze."""
OVERRUN_SECONDS_MAX = 1.0
"""The promise: how long after its deadline a call may end; the time in which this process hangs is added."""
LAG_STEP_SECONDS = 0.02
SERVING_AGAIN_SECONDS_MAX = 15.0
"""A server may notice the end of a freeze only after the limit of a statement, 10 s."""


class Stopwatch(grpc.aio.UnaryUnaryClientInterceptor):
    """Compares the duration of each attempt with its deadline."""

    def __init__(self) -> None:
        self.overrun_seconds = 0.0
        self.deadlines_exceeded = 0

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, Any], Awaitable[grpc.aio.UnaryUnaryCall[Any, Any]]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> grpc.aio.UnaryUnaryCall[Any, Any]:
        """Wait for the end of the call and measure its overrun."""
        assert client_call_details.timeout is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        call = await continuation(client_call_details, request)
        code = await call.code()
        self.deadlines_exceeded += code is grpc.StatusCode.DEADLINE_EXCEEDED
        overrun = loop.time() - began - client_call_details.timeout
        self.overrun_seconds = max(self.overrun_seconds, overrun)
        return call


async def longest_lag(done: asyncio.Task[None]) -> float:
    """Return for how many seconds the event loop of this test was too busy to notice anything."""
    loop, lag = asyncio.get_running_loop(), 0.0
    while not done.done():
        began = loop.time()
        await asyncio.sleep(LAG_STEP_SECONDS)
        lag = max(lag, loop.time() - began - LAG_STEP_SECONDS)
    return lag


async def freeze_database(server: DatabaseServer, seconds: float) -> None:
    """Freeze the database for a while."""
    await asyncio.to_thread(server.pause)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(server.resume)


async def freeze_server(servers: Cluster, place: int, seconds: float) -> None:
    """Freeze a server for a while."""
    servers.server(place).send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    servers.server(place).send(signal.SIGCONT)


async def freeze_in_turn(
    freezes: list[Callable[[], Awaitable[None]]], order: random.Random, ledger: Ledger
) -> None:
    """Freeze one after the other under load, each after reports were answered again."""
    for freeze in freezes:
        await ledger.more_answers(order.randint(50, 400))
        await freeze()
        async with asyncio.timeout(SERVING_AGAIN_SECONDS_MAX):
            await ledger.more_answers(1)


async def read_until(done: asyncio.Task[None], channel: grpc.aio.Channel) -> None:
    """Read a batch repeatedly until the faults are over."""
    stub = stub_of(channel)
    request = pb.GetBatchRequest(batch_id="hot")
    while not done.done():
        await call_until_answered(stub.GetBatch, request, try_seconds_max=SHORT_TRY_SECONDS_MAX)


async def test_calls_end_at_their_deadlines_during_a_freeze(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """While database or server is frozen, calls end at their deadlines, and no connection is lost."""
    times, seconds = (2, 30.0) if full else (1, 3.0)
    plan, ledger, stopwatch = make_plan(order, SIZES), Ledger(), Stopwatch()
    async with (
        cluster(target.url, SERVERS) as servers,
        open_channels(servers.ports, CHANNELS, interceptors=[stopwatch]) as channels,
    ):
        await create_batches(stub_of(channels[0]), plan)
        freezes: list[Callable[[], Awaitable[None]]] = [
            *(lambda: freeze_database(target.server, seconds) for _ in range(times)),
            *(lambda: freeze_server(servers, order.randrange(SERVERS), seconds) for _ in range(times)),
        ]
        freezing = asyncio.create_task(freeze_in_turn(freezes, order, ledger))
        lag_seconds = asyncio.create_task(longest_lag(freezing))
        await asyncio.gather(
            send_until(freezing, Workers(ledger, channels, WORKERS, SHORT_TRY_SECONDS_MAX), plan),
            send_until(freezing, Workers(ledger, channels, WORKERS, TRY_SECONDS_MAX), plan),
            *(read_until(freezing, channels[one % CHANNELS]) for one in range(READERS)),
        )
        await freezing
        await assert_pools_whole(servers, target)
    assert stopwatch.deadlines_exceeded > 0
    assert stopwatch.overrun_seconds <= OVERRUN_SECONDS_MAX + await lag_seconds
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("frozen", 2 * times, ledger)


async def assert_pools_whole(servers: Cluster, target: Target) -> None:
    """Check the pool of every server, one after the other."""
    for port in servers.ports:
        await assert_pool_whole(port, "hot", target)
