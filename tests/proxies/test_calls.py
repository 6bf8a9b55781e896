"""What a proxy lets through: many watches, large calls, TLS; and what it answers without servers."""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import grpc
import pytest

from batchprogress import AsyncClient, TlsFiles
from batchprogress._grpc.retry import failure_of
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.calling import call_until_answered
from tests.faults.channels import open_channels
from tests.faults.cluster import Cluster
from tests.faults.conftest import FULL
from tests.proxies.conftest import SERVERS
from tests.proxies.kinds import Caddy, Envoy, Haproxy, Nginx, Place
from tests.proxies.running import Running, running
from tests.support.progress import stub_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True),
]
WATCHES = 1_100 if FULL else 150
"""More than nginx (128) and haproxy (100) allow on a connection by default, and Envoy (1,024) in all."""
CADDY_WATCHES = 200
"""Of one connection. Caddy lets calls beyond 250 wait, and has no setting for it."""
SECONDS_MAX = 180.0 if FULL else 60.0
CALL_BYTES_MAX = 4 * 2**20
"""The server's own limit."""
CALLS = 50
UNKNOWN = "unknown"


@pytest.fixture
def batch_id(request: pytest.FixtureRequest) -> str:
    """Return the id of a batch of this test."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name)[-100:]


async def test_many_watches_share_a_connection(proxy: Running, batch_id: str) -> None:
    """Clients in other languages open one connection; ours would open another one for every 64 watches."""
    each = CADDY_WATCHES if proxy.name == "caddy" else WATCHES
    async with (
        asyncio.timeout(SECONDS_MAX),
        open_channels([proxy.place.port], -(-WATCHES // each)) as channels,
    ):
        stubs = [stub_of(channel) for channel in channels]
        await stubs[0].CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=1))
        request = pb.WatchBatchRequest(batch_id=batch_id)
        watches = [stubs[number // each].WatchBatch(request) for number in range(WATCHES)]
        for watch in watches:
            first: Any = await watch.read()
            assert first.batch.pending_jobs == 1
        await stubs[0].ReportJobResult(report(batch_id))
        for watch in watches:
            last: Any = await watch.read()
            assert last.batch.state == pb.BATCH_STATE_COMPLETED
            assert await watch.code() is grpc.StatusCode.OK


async def test_the_server_and_not_the_proxy_limits_the_size_of_a_call(proxy: Running, batch_id: str) -> None:
    """A call just below the limit is recorded; above it, the server says why it refuses."""
    async with asyncio.timeout(SECONDS_MAX), grpc.aio.insecure_channel(proxy.target) as channel:
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=10_000))
        largest = filled(batch_id, CALL_BYTES_MAX)
        answer = await call_until_answered(stub.ReportJobResults, largest)
        assert {one.disposition for one in answer.results} <= {
            pb.DISPOSITION_RECORDED,
            pb.DISPOSITION_DUPLICATE,
        }
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call_until_answered(stub.ReportJobResults, filled(batch_id, CALL_BYTES_MAX + 1_000))
    failure = failure_of(raised.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE")


async def test_our_client_reports_and_watches_over_tls(proxy: Running, batch_id: str) -> None:
    """The proxy ends TLS; the servers have none."""
    files = TlsFiles(ca=proxy.place.folder / "ca.pem")
    async with asyncio.timeout(SECONDS_MAX), AsyncClient(proxy.tls_target, credentials=files) as client:
        await client.create(batch_id, 1)
        async with aclosing(client.watch(batch_id)) as watch:
            assert (await anext(watch)).pending_jobs == 1
            async with client.reporter(batch_id) as reporter:
                reporter.succeeded("job")
            assert (await anext(watch)).has_ended


async def codes_of(proxy: Running) -> Counter[str]:
    """Return how calls and watches about an unknown batch end, with the reason of our server."""
    ends: Counter[str] = Counter()
    async with grpc.aio.insecure_channel(proxy.target) as channel:
        stub = stub_of(channel)
        for _ in range(CALLS):
            ends[await _end_of(stub.GetBatch(pb.GetBatchRequest(batch_id=UNKNOWN)))] += 1
            ends[await _end_of(stub.WatchBatch(pb.WatchBatchRequest(batch_id=UNKNOWN)).read())] += 1
    return ends


async def _end_of(call: Awaitable[object]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        failure = failure_of(error)
        return f"{failure.code.name} {failure.reason}".strip()
    return "OK"


async def test_errors_of_the_server_keep_their_reason(proxy: Running) -> None:
    """Clients rely on it: without the reason, an error comes from the road and is tried again."""
    async with asyncio.timeout(SECONDS_MAX):
        assert await codes_of(proxy) == {"NOT_FOUND BATCH_NOT_FOUND": 2 * CALLS}


async def test_without_servers_calls_and_watches_get_unavailable(servers: Cluster, place: Place) -> None:
    """Never UNKNOWN, which clients in other languages do not try again."""
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(running(kind, Place(place.folder, place.servers)))
            for kind in (Nginx(), Haproxy(), Envoy(), Caddy())
        ]
        async with without(servers):
            for ends in await asyncio.gather(*(codes_of(proxy) for proxy in proxies)):
                assert ends == {"UNAVAILABLE": 2 * CALLS}


@asynccontextmanager
async def without(servers: Cluster) -> AsyncIterator[None]:
    """Stop the servers while the context is open."""
    for place in range(SERVERS):
        await servers.end(place, signal.SIGTERM)
    try:
        yield
    finally:
        await asyncio.gather(*(servers.start(place) for place in range(SERVERS)))


def report(batch_id: str, job_id: str = "job", message: str = "") -> pb.ReportJobResultRequest:
    """Return a report."""
    outcome = pb.JOB_OUTCOME_FAILED if message else pb.JOB_OUTCOME_SUCCEEDED
    return pb.ReportJobResultRequest(batch_id=batch_id, job_id=job_id, outcome=outcome, error_message=message)


def filled(batch_id: str, size: int) -> pb.ReportJobResultsRequest:
    """Return a call of this size, or a little less."""
    request = pb.ReportJobResultsRequest()
    each = report(batch_id, "job-0000", "x" * 500).ByteSize() + 3
    for number in range(size // each):
        request.results.append(report(batch_id, f"job-{number:04}", "x" * 500))
    assert size - 600 < request.ByteSize() <= size
    return request
