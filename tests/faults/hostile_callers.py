"""What hostile callers do in fault 15: each attack, at a quick and a full size, on loopback only."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import grpc
from sqlalchemy import insert, select

from batches.store import schema
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.conftest import Target
from tests.support import greedy
from tests.support.gateway import Door, gateway_process
from tests.support.hostile_http2 import attacking
from tests.support.progress import ProgressProcess, stub_of
from tests.support.refused_requests import REFUSED

FAILURE_LISTS = 40
FAILED_BATCH = "failed"
ERROR_KINDS = 40
RESULTS_A_CALL = 10_000
READERS = 150
PAGE_SIZE = 250
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Scale:
    """How much an attack does."""

    seconds: float
    connections: int
    """Of a flood."""
    idle_connections: int
    half_messages: int
    failures: int
    """In the batch whose failure groups are listed."""
    batches: int
    """That are read without a token."""


QUICK = Scale(1.0, 1, 200, 10, 10_000, 250)
FULL = Scale(8.0, 2, 5_000, 100, 200_000, 5_000)

Size = Callable[[], Awaitable[str]]
"""Waits until the attack has ended, and returns in words what it was."""
Run = Callable[[ProgressProcess, Scale], AbstractAsyncContextManager[Size]]


async def _nothing(_target: Target, _server: ProgressProcess, _scale: Scale) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class HostileCaller:
    """An attack, and what must hold at its end."""

    name: str
    run: Run
    rise_mib_max: int | None
    """How far the server's memory may rise above that at rest; None: it is only measured."""
    prepare: Callable[[Target, ProgressProcess, Scale], Awaitable[None]] = _nothing


def _flood(name: str, connections: Callable[[Scale], int] = lambda scale: scale.connections) -> Run:
    @asynccontextmanager
    async def run(server: ProgressProcess, scale: Scale) -> AsyncIterator[Size]:
        number = connections(scale)
        async with attacking(server.port, name, connections=number, seconds=scale.seconds) as attack:

            async def size() -> str:
                sent = await attack.ended()
                again = f", {sent.connections:,} in all" if sent.connections > number else ""
                return f"{number:,} connections{again}, {sent.bytes // MIB:,} MiB"

            yield size

    return run


@asynccontextmanager
async def _half_messages(server: ProgressProcess, scale: Scale) -> AsyncIterator[Size]:
    number = scale.half_messages
    async with attacking(
        server.port, "half-sent messages", connections=number, seconds=scale.seconds
    ) as attack:

        async def size() -> str:
            sent = await attack.ended()
            return f"{number} messages on 1 connection, {sent.bytes // MIB} MiB"

        yield size


def _calls(attack: greedy.Attack, callers: int = greedy.CALLERS) -> Run:
    @asynccontextmanager
    async def run(server: ProgressProcess, _scale: Scale) -> AsyncIterator[Size]:
        async with greedy.attacked(server.target, attack, callers=callers) as sent:

            async def size() -> str:
                return f"{callers} callers, {sent.answered:,} calls answered, {sent.refused:,} refused"

            yield size

    return run


@asynccontextmanager
async def _reads(server: ProgressProcess, scale: Scale) -> AsyncIterator[Size]:
    """Read pages of batches as fast as the gateway answers, as a stranger who searches does."""
    codes: Counter[int | str] = Counter()

    async def read(door: Door) -> None:
        while True:
            try:
                codes[(await door.call("ListBatches", pageSize=PAGE_SIZE)).status] += 1
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                codes["without an answer"] += 1

    async def size() -> str:
        answers = ", ".join(f"{times:,} × {code}" for code, times in sorted(codes.items(), key=str))
        return f"{READERS} at a time of {scale.batches:,} batches: {answers or 'none answered'}"

    async with gateway_process(server.target) as gateway:
        readers = [asyncio.create_task(read(Door(gateway.port))) for _ in range(READERS)]
        yield size
        for one in readers:
            one.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _with_greedy_batches(_target: Target, server: ProgressProcess, _scale: Scale) -> None:
    await greedy.create_batches(server.target)


async def _with_failures(_target: Target, server: ProgressProcess, scale: Scale) -> None:
    """Report failures of several kinds, as workers do."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=FAILED_BATCH, total_jobs=scale.failures))
        for first in range(0, scale.failures, RESULTS_A_CALL):
            failures = [_failure(number) for number in range(first, first + RESULTS_A_CALL)]
            await stub.ReportJobResults(pb.ReportJobResultsRequest(results=failures))


def _failure(number: int) -> pb.ReportJobResultRequest:
    return pb.ReportJobResultRequest(
        batch_id=FAILED_BATCH,
        job_id=f"job-{number}",
        outcome=pb.JOB_OUTCOME_FAILED,
        error_type=f"Error{number % ERROR_KINDS}",
        error_message=f"host 10.0.0.{number % 250} did not answer within {number} ms",
    )


async def _with_batches(target: Target, server: ProgressProcess, scale: Scale) -> None:
    """Create a batch as a caller does, and the others as copies of its row."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        await stub_of(channel).CreateBatch(pb.CreateBatchRequest(batch_id="first", total_jobs=1))
    database = Database(target.url, connections_max=1)
    async with database.engine.begin() as connection:
        first = select(schema.batches).where(schema.batches.c.batch_id == "first")
        row = dict((await connection.execute(first)).one()._mapping)  # noqa: SLF001  # its public name
        del row["batch_key"]
        copies = [{**row, "batch_id": f"copy-{number}"} for number in range(scale.batches)]
        await connection.execute(insert(schema.batches), copies)
    await database.close()


FLOOD_RISE_MIB_MAX = 128
"""Memory at rest is some 110 MiB; most floods may not double it."""
SETTINGS_RISE_MIB_MAX = 256
"""What a flood of 45 MiB/s reaches within 8 s is 150 MiB, and hardly more later."""
CONTINUATION_RISE_MIB_MAX = 300
"""The transport reads several hundred megabytes of unfinished headers per second, and drops them late."""
HALF_MESSAGES_RISE_MIB_MAX = 600
MESSAGES_RISE_MIB_MAX = 256
"""Four callers at a time with 4 MB each, results that wait, and what the allocator keeps."""

_list_failures = greedy.Attack(
    f"{FAILURE_LISTS} ListFailureGroups at a time",
    "ListFailureGroups",
    lambda _: pb.ListFailureGroupsRequest(batch_id=FAILED_BATCH).SerializeToString(),
    variants=1,
)

HOSTILE_CALLERS = (
    HostileCaller("rapid reset", _flood("rapid reset"), FLOOD_RISE_MIB_MAX),
    HostileCaller("calls without a message", _flood("open calls"), FLOOD_RISE_MIB_MAX),
    HostileCaller("PING flood", _flood("ping"), FLOOD_RISE_MIB_MAX),
    HostileCaller("SETTINGS flood", _flood("settings"), SETTINGS_RISE_MIB_MAX),
    HostileCaller("CONTINUATION flood", _flood("continuation"), CONTINUATION_RISE_MIB_MAX),
    HostileCaller("empty CONTINUATION flood", _flood("empty continuation"), CONTINUATION_RISE_MIB_MAX),
    HostileCaller("headers of 1 MiB", _flood("huge headers"), FLOOD_RISE_MIB_MAX),
    HostileCaller("HPACK bomb", _flood("hpack bomb"), None),
    HostileCaller(
        "idle connections", _flood("idle", lambda scale: scale.idle_connections), FLOOD_RISE_MIB_MAX
    ),
    HostileCaller(
        "idle HTTP/2 connections",
        _flood("idle after greeting", lambda scale: scale.idle_connections),
        None,
    ),
    HostileCaller("unfinished messages", _half_messages, HALF_MESSAGES_RISE_MIB_MAX),
    *(
        HostileCaller(f"refused, 4 MB: {refused.name}", _calls(refused), MESSAGES_RISE_MIB_MAX)
        for refused in REFUSED
    ),
    HostileCaller(
        _list_failures.name, _calls(_list_failures, FAILURE_LISTS), MESSAGES_RISE_MIB_MAX, _with_failures
    ),
    *(
        HostileCaller(attack.name, _calls(attack), MESSAGES_RISE_MIB_MAX, _with_greedy_batches)
        for attack in greedy.ATTACKS
    ),
    HostileCaller("reads without a token", _reads, MESSAGES_RISE_MIB_MAX, _with_batches),
)
REPRESENTATIVES = {
    "rapid reset",
    "refused, 4 MB: empty results",
    "10,000 invalid results a call",
    "reads without a token",
}
"""The attacks of the quick size: one of each kind."""
