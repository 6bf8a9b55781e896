"""Fault 12: connections that mean no good, and what they leave in the server: nothing."""

import asyncio
import random
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc
import pytest

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.faults import hostile
from tests.faults.conftest import Target, Verdict
from tests.faults.footprint import Footprint, at_rest
from tests.faults.ledger import Ledger
from tests.faults.workload import report_of
from tests.support.progress import ProgressProcess, Stub, progress_process, stub_of

BATCH = "batch"
SERVICE = f"/{pb.DESCRIPTOR.services_by_name['ProgressService'].full_name}"
GET, WATCH = f"{SERVICE}/GetBatch", f"{SERVICE}/WatchBatch"
REQUEST = pb.GetBatchRequest(batch_id=BATCH).SerializeToString()
"""Of WatchBatch too: the batch is field 1 of both."""

ANSWER_SECONDS_MAX = 0.1
"""The rule for the next good call."""
ANSWER_TRIES = 10
"""The machine is shared with other processes: the best of so many calls is the server's own time."""
CALL_SECONDS_MAX = 20.0
"""A call that is not answered by then is not answered."""
SETTLE_SECONDS_MAX = 15.0
"""How soon after the last connection was closed the server must be back at rest."""
REST_DESCRIPTORS = 8
"""Connections to the database that a pool may open at any time and then keeps."""
REST_BYTES = 4 * 2**20
"""What a process may grow by for reasons of its own while a few thousand calls go by."""
REST_BYTES_PER_CONNECTION = 10 * 2**10
"""What may be left of one: holes between its blocks, which later ones fill (measured: a dozen
waves add ever less). One costs some 45 KB while it is open, so a leak of every fourth would be seen."""
WARM_UP_WAVES = 2
WAVES = 2
"""Those that are measured."""
FILES_MAX = 8_192
"""Open files of this process and of the servers it starts: 2,000 connections have two ends each."""
METADATA_BYTES = 200_000
"""Far above the 16 KiB that gRPC's transport takes."""
METADATA_CALLS = 50
QUIET = {"GRPC_VERBOSITY": "NONE"}
"""gRPC's core logs the noise it was sent, byte for byte, which is no text that a log's reader can decode."""


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Let this process, and those it starts, open as many files as a full run needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES_MAX)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_bytes(order: random.Random) -> bytes:
    """Return what one connection sends before it says no more."""
    return order.choice(
        (
            b"",
            hostile.greeting(),
            hostile.greeting() + hostile.call_headers(GET),
            hostile.greeting() + hostile.call_headers(GET) + hostile.half_message(REQUEST),
            # A stream that is never read: the server may not send a single byte of it.
            hostile.greeting(window_bytes=0) + hostile.call_headers(WATCH) + hostile.whole_message(REQUEST),
            hostile.noise(order, GET),
        )
    )


@asynccontextmanager
async def hostile_connections(
    server: ProgressProcess, order: random.Random, number: int
) -> AsyncIterator[None]:
    """Hold so many connections open that were begun in every wrong way."""
    writers = []
    try:
        for _ in range(number):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(first_bytes(order))
            writers.append(writer)
        yield
    finally:
        for writer in writers:
            writer.transport.abort()  # as a client that died: a reset, no farewell


async def send_long_metadata(server: ProgressProcess) -> None:
    """Call with metadata that no server takes; gRPC's transport refuses it before our code sees it."""
    request = pb.GetBatchRequest(batch_id=BATCH)
    metadata = (("x-long", "x" * METADATA_BYTES),)
    async with grpc.aio.insecure_channel(server.target) as channel:
        calls = [
            stub_of(channel).GetBatch(request, metadata=metadata, timeout=CALL_SECONDS_MAX)
            for _ in range(METADATA_CALLS)
        ]
        for call in calls:
            assert await call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def best_seconds(stub: Stub, ledger: Ledger) -> float:
    """Return how long a good report takes, at best of some."""
    loop = asyncio.get_running_loop()
    seconds = []
    for _ in range(ANSWER_TRIES):
        job = (BATCH, f"job-{ledger.reports}")
        ledger.attempt(job, JobOutcome.SUCCEEDED)
        begun = loop.time()
        answer = await stub.ReportJobResult(report_of(job, JobOutcome.SUCCEEDED), timeout=CALL_SECONDS_MAX)
        seconds.append(loop.time() - begun)
        ledger.acknowledge(job, first=answer.disposition == pb.DISPOSITION_RECORDED)
    return min(seconds)


async def wave(
    server: ProgressProcess, stub: Stub, order: random.Random, number: int, ledger: Ledger
) -> float:
    """Come with so many connections and go again; return how long a good call took meanwhile."""
    async with hostile_connections(server, order, number):
        seconds = await best_seconds(stub, ledger)
        await send_long_metadata(server)
        return max(seconds, await best_seconds(stub, ledger))


@pytest.mark.usefixtures("_many_files")
async def test_hostile_connections_cost_nobody_anything(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Idle, noisy, half-begun and unread connections: good calls go on, and nothing is left of them."""
    number = 2_000 if full else 200
    ledger = Ledger()
    async with (
        progress_process(target.url, **QUIET) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=BATCH, total_jobs=1_000))
        await best_seconds(stub, ledger)
        descriptors_max = Footprint.of(server.pid).descriptors + REST_DESCRIPTORS
        meanwhile, rests = [], []
        for _ in range(WARM_UP_WAVES + WAVES):
            meanwhile.append(await wave(server, stub, order, number, ledger))
            rests.append(await at_rest(server.pid, descriptors_max, seconds_max=SETTLE_SECONDS_MAX))
        afterwards = await best_seconds(stub, ledger)
    worst = max(*meanwhile, afterwards)
    print(f"a good call: {worst * 1_000:.0f} ms; at rest: {rests}")  # noqa: T201  # figures
    assert worst <= ANSWER_SECONDS_MAX
    assert max(rest.descriptors for rest in rests) <= descriptors_max
    grown = rests[-1].resident_bytes - rests[WARM_UP_WAVES - 1].resident_bytes
    assert grown <= REST_BYTES + WAVES * number * REST_BYTES_PER_CONNECTION
    assert "unexpected error" not in server.log
    await verdict("hostile connections", len(rests) * number, ledger)
