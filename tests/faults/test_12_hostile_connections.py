"""Fault 12: hostile connections, which leave nothing in the server."""

import asyncio
import random
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise

import grpc
import pytest

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.faults import hostile
from tests.faults.conftest import Target, Verdict
from tests.faults.footprint import Footprint, at_rest
from tests.faults.ledger import Ledger
from tests.faults.workload import report_of
from tests.support.http2_frames import call_headers, greeting, half_message, whole_message
from tests.support.progress import ProgressProcess, Stub, progress_process, stub_of

BATCH = "batch"
SERVICE = f"/{pb.DESCRIPTOR.services_by_name['ProgressService'].full_name}"
GET, WATCH = f"{SERVICE}/GetBatch", f"{SERVICE}/WatchBatch"
REQUEST = pb.GetBatchRequest(batch_id=BATCH).SerializeToString()
"""Also valid for WatchBatch, since batch_id is field 1 of both."""

ANSWER_SECONDS_MAX = 0.1
"""The promise for valid calls."""
ANSWER_TRIES = 10
"""Other processes use the machine, too; the fastest of these calls shows the time of the server."""
CALL_SECONDS_MAX = 20.0
"""The deadline of calls."""
SETTLE_SECONDS_MAX = 15.0
"""How soon after the last connection the server must have released everything."""
REST_DESCRIPTORS = 8
"""Connections to the database that the pool may have opened meanwhile."""
REST_BYTES = 4 * 2**20
"""The growth of a process during a few thousand calls without a leak."""
REST_BYTES_PER_CONNECTION = 10 * 2**10
"""What fragmentation may leave of a connection; later ones fill the gaps (a dozen waves add less each
time). An open one uses 45 KB, so that a leak of every fourth would be noticed."""
WARM_UP_WAVES = 2
WAVES = 2
"""The number of measured waves."""
FILES_MAX = 8_192
"""Open files of this process and of its servers: 2,000 connections with two ends each."""
METADATA_BYTES = 200_000
"""Far more than the 16 KiB that gRPC accepts."""
METADATA_CALLS = 50
QUIET = {"GRPC_VERBOSITY": "NONE"}
"""The core of gRPC logs noise byte for byte, which a reader of the log cannot decode."""


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Raise the limit of open files for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES_MAX)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_bytes(order: random.Random) -> bytes:
    """Return what one connection sends before it falls silent."""
    return order.choice(
        (
            b"",
            greeting(),
            greeting() + call_headers(GET),
            greeting() + call_headers(GET) + half_message(REQUEST),
            # A stream that is never read, with a window of 0 bytes.
            greeting(window_bytes=0) + call_headers(WATCH) + whole_message(REQUEST),
            hostile.noise(order, GET),
        )
    )


@asynccontextmanager
async def hostile_connections(
    server: ProgressProcess, order: random.Random, number: int
) -> AsyncIterator[None]:
    """Hold connections open that were started in every wrong way."""
    writers = []
    try:
        for _ in range(number):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(first_bytes(order))
            writers.append(writer)
        yield
    finally:
        for writer in writers:
            writer.transport.abort()  # a reset, as from a client that died


async def send_long_metadata(server: ProgressProcess) -> None:
    """Call with metadata that is too long; gRPC refuses it before our code sees it."""
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
    """Return the duration of a valid report, the shortest of several."""
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
    """Open and close hostile connections; return the duration of a valid call meanwhile."""
    async with hostile_connections(server, order, number):
        seconds = await best_seconds(stub, ledger)
        await send_long_metadata(server)
        return max(seconds, await best_seconds(stub, ledger))


@pytest.mark.more("opens hundreds of connections")
@pytest.mark.usefixtures("_many_files")
async def test_hostile_connections_cost_nobody_anything(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Idle, noisy, incomplete and unread connections slow down no valid call, and leave nothing behind."""
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
    print(f"a valid call: {worst * 1_000:.0f} ms; at rest: {rests}")
    assert worst <= ANSWER_SECONDS_MAX
    assert max(rest.descriptors for rest in rests) <= descriptors_max
    # A leak grows in every wave; the heap grows in steps, of which one may fall into any wave.
    growths = [
        after.resident_bytes - before.resident_bytes for before, after in pairwise(rests[WARM_UP_WAVES - 1 :])
    ]
    assert min(growths) <= REST_BYTES // WAVES + number * REST_BYTES_PER_CONNECTION
    assert "unexpected error" not in server.log
    await verdict("hostile connections", len(rests) * number, ledger)
