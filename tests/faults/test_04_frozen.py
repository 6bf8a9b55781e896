"""Fault 4: the database, then a server, stands still for a while: connections stay open, nothing answers."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from batchprogress._grpc.retry import TRY_SECONDS_MAX, call_until_answered
from batchprogress.v1 import progress_pb2 as pb
from database_servers import DatabaseServer
from tests.faults.channels import open_channels
from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.pools import assert_pool_whole
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.progress import stub_of

SERVERS = 2
WORKERS = 150
"""Of each kind: with short deadlines, and with those of the client's retry policy."""
READERS = 20
"""More than the pools hold together, so that every connection is in use when the database freezes."""
CHANNELS = 4
SIZES = {"hot": 800, **{f"batch-{number}": 20 for number in range(20)}}
SHORT_TRY_SECONDS_MAX = 1.0
"""Far below the time anything stands still."""
OVERRUN_SECONDS_MAX = 1.0
"""The rule: what a call may outlive its own deadline by."""
SERVING_AGAIN_SECONDS_MAX = 15.0
"""A server may find that it is no longer waited for only when a statement's 10 s are over."""


class Stopwatch(grpc.aio.UnaryUnaryClientInterceptor):
    """Measures every single try against its own deadline."""

    def __init__(self) -> None:
        """Start with no call measured."""
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
        """Wait for the end of the call, whatever it is."""
        assert client_call_details.timeout is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        call = await continuation(client_call_details, request)
        code = await call.code()
        self.deadlines_exceeded += code is grpc.StatusCode.DEADLINE_EXCEEDED
        overrun = loop.time() - began - client_call_details.timeout
        self.overrun_seconds = max(self.overrun_seconds, overrun)
        return call


async def freeze_database(server: DatabaseServer, seconds: float) -> None:
    """Let the database stand still."""
    await asyncio.to_thread(server.pause)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(server.resume)


async def freeze_server(servers: Cluster, place: int, seconds: float) -> None:
    """Let a server stand still."""
    servers.server(place).send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    servers.server(place).send(signal.SIGCONT)


async def freeze_in_turn(
    freezes: list[Callable[[], Awaitable[None]]], order: random.Random, ledger: Ledger
) -> None:
    """Freeze one after the other under load, each when there were answers again."""
    for freeze in freezes:
        await ledger.more_answers(order.randint(50, 400))
        await freeze()
        async with asyncio.timeout(SERVING_AGAIN_SECONDS_MAX):
            await ledger.more_answers(1)


async def read_until(done: asyncio.Task[None], channel: grpc.aio.Channel) -> None:
    """Read a batch again and again until the faults are over."""
    stub = stub_of(channel)
    request = pb.GetBatchRequest(batch_id="hot")
    while not done.done():
        await call_until_answered(stub.GetBatch, request, try_seconds_max=SHORT_TRY_SECONDS_MAX)


async def test_nothing_waits_for_what_stands_still(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Database and servers frozen under load: calls end at their deadlines, and no connection is lost."""
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
        await asyncio.gather(
            send_until(freezing, Workers(ledger, channels, WORKERS, SHORT_TRY_SECONDS_MAX), plan),
            send_until(freezing, Workers(ledger, channels, WORKERS, TRY_SECONDS_MAX), plan),
            *(read_until(freezing, channels[one % CHANNELS]) for one in range(READERS)),
        )
        await freezing
        await assert_pools_whole(servers, target)
    assert stopwatch.deadlines_exceeded > 0
    assert stopwatch.overrun_seconds <= OVERRUN_SECONDS_MAX
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("frozen", 2 * times, ledger)


async def assert_pools_whole(servers: Cluster, target: Target) -> None:
    """Check every server's pool, one after the other."""
    for port in servers.ports:
        async with open_channels([port], 1) as (channel,):
            await assert_pool_whole(stub_of(channel), "hot", target)
