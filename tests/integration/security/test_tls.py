"""TLS and mutual TLS, with certificates that are replaced while they are in use."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import pytest

from batchprogress import AsyncClient, BatchState, Client, Reporter, TlsFiles
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.either import opened
from tests.integration.security.conftest import Serve
from tests.support.certificates import Authority, Pair
from tests.support.progress import Stub, stub_of

SLOW = pytest.mark.more("waits for a second between two openings of a connection")
SECONDS_MAX = 30.0
WORKERS = 8
AWAY_SECONDS = 3.0
"""How long a client waits for a server that refuses its certificate."""


@asynccontextmanager
async def connected(port: int, ca: bytes, own: Pair | None = None) -> AsyncIterator[Stub]:
    """Connect with TLS, over a new connection."""
    key, certificate = (own.key, own.certificate) if own is not None else (None, None)
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        yield stub_of(channel)


def served_certificate(port: int) -> str:
    """Return the certificate of a new connection, PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port))


async def report_until(done: asyncio.Event, port: int, ca: bytes, worker: int) -> int:
    """Report until `done`, half of the calls over new connections; return their number. None may fail."""
    number = 0
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(connected(port, ca))
        while not done.is_set():
            await kept.ReportJobResult(report(f"{worker}-{number}-kept"))
            async with connected(port, ca) as fresh:
                await fresh.ReportJobResult(report(f"{worker}-{number}-fresh"))
            number += 1
    return 2 * number


def report(job_id: str) -> pb.ReportJobResultRequest:
    """Return a report."""
    return pb.ReportJobResultRequest(batch_id="b", job_id=job_id, outcome=pb.JOB_OUTCOME_SUCCEEDED)


async def test_certificate_is_replaced_under_load(serve: Serve, tmp_path: Path) -> None:
    """It is replaced three times: no call fails, and each new connection gets the newest one."""
    authority = Authority("ours")
    certificate, key = authority.sign("first").write(tmp_path, "server")
    async with serve(tls_certificate_file=certificate, tls_key_file=key) as server:
        async with connected(server.port, authority.certificate) as stub:
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1_000_000))
        done = asyncio.Event()
        workers = [
            asyncio.create_task(report_until(done, server.port, authority.certificate, number))
            for number in range(WORKERS)
        ]
        for name in ("second", "third", "fourth"):
            newer = authority.sign(name)
            key.write_bytes(newer.key)  # does not match the certificate yet
            assert await asyncio.to_thread(served_certificate, server.port) != newer.certificate.decode()
            certificate.write_bytes(newer.certificate)
            assert await asyncio.to_thread(served_certificate, server.port) == newer.certificate.decode()
        done.set()
        reported = sum(await asyncio.gather(*workers))
        async with connected(server.port, authority.certificate) as stub:
            batch = (await stub.GetBatch(pb.GetBatchRequest(batch_id="b"))).batch
    assert batch.succeeded_jobs == reported > 0


async def test_only_certificates_of_the_authority_are_accepted(serve: Serve, tmp_path: Path) -> None:
    """A client without one, or with a stranger's, reaches no method and learns no reason."""
    authority, stranger = Authority("ours"), Authority("theirs")
    tls = authority.mutual_tls(tmp_path)
    async with serve(**tls) as server:
        for own in (None, stranger.sign("client")):
            async with connected(server.port, authority.certificate, own) as stub:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.ListBatches(
                        pb.ListBatchesRequest(), timeout=AWAY_SECONDS, wait_for_ready=False
                    )
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert caught.value.trailing_metadata() in (None, (), grpc.aio.Metadata())
        async with connected(server.port, authority.certificate, authority.sign("client")) as stub:
            await stub.ListBatches(pb.ListBatchesRequest())


async def test_reporter_reloads_its_certificate(serve: Serve, tmp_path: Path) -> None:
    """A reporter whose certificate is refused continues with the one that replaced it."""
    authority, before = Authority("ours"), Authority("before")
    own, own_key = before.sign("worker").write(tmp_path, "worker")
    tls = authority.mutual_tls(tmp_path)
    ca = tls["tls_client_ca_file"]
    async with serve(**tls) as server:
        async with connected(server.port, authority.certificate, authority.sign("maker")) as stub:
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
        files = TlsFiles(ca, own, own_key)
        reporter = Reporter(f"127.0.0.1:{server.port}", "b", credentials=files)
        reporter.succeeded("j")
        assert not await asyncio.to_thread(reporter.flush, 1.0)
        authority.sign("worker").write(tmp_path, "worker")
        assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    assert reporter.counts.pending == 0


@pytest.mark.parametrize("name", [pytest.param("wait", marks=SLOW), "get"])
@pytest.mark.parametrize("kind", [pytest.param(Client, marks=SLOW), AsyncClient])
async def test_client_reloads_its_certificate(
    serve: Serve, tmp_path: Path, kind: type[Client | AsyncClient], name: str
) -> None:
    """A watch or a call whose certificate is refused succeeds with the one that replaced it."""
    authority, before = Authority("ours"), Authority("before")
    own, own_key = before.sign("watcher").write(tmp_path, "watcher")
    tls = authority.mutual_tls(tmp_path)
    files = TlsFiles(tls["tls_client_ca_file"], own, own_key)
    async with (
        serve(**tls) as server,
        opened(kind, f"127.0.0.1:{server.port}", credentials=files, timeout=SECONDS_MAX) as client,
    ):
        async with connected(server.port, authority.certificate, authority.sign("maker")) as stub:
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=0))
        calling = asyncio.create_task(client.call(name, "b"))
        assert not (await asyncio.wait([calling], timeout=1.0))[0]
        authority.sign("watcher").write(tmp_path, "watcher")
        async with asyncio.timeout(SECONDS_MAX):
            assert (await calling).state is BatchState.COMPLETED
