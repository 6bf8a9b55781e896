"""Servers are replaced one by one while workers report over TLS, with tokens."""

import asyncio
import signal
from pathlib import Path

import pytest

from batchprogress import AsyncReporter, TlsFiles
from batchprogress._grpc import connection
from batchprogress._grpc.connection import Connection
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.faults.cluster import Cluster, cluster
from tests.integration.security.conftest import Tokens
from tests.support.certificates import Authority
from tests.support.progress import stub_of
from tests.support.storage.maker import upgrade

SECONDS_MAX = 60.0
SERVERS, WORKERS = 2, 8
REPORTS_BETWEEN = 100
"""Reports that are answered between the stops of two servers, so that every worker uses both again."""


class Worker:
    """Reports one job after the other, and releases `answered` for each answer."""

    def __init__(self, name: str, connection: Connection, answered: asyncio.Semaphore) -> None:
        self._name = name
        self._answered = answered
        self._reporter = AsyncReporter(
            connection.target, "b", credentials=connection.credentials, token=connection.token, strict=True
        )

    async def report_until(self, done: asyncio.Event) -> int:
        """Report until `done`; return the number of jobs, or raise if a report fails."""
        number = 0
        async with self._reporter as reporter:
            while not done.is_set():
                reporter.succeeded(f"{self._name}-{number}")
                await reporter.flush(SECONDS_MAX)
                self._answered.release()
                number += 1
        return number


async def roll_out(servers: Cluster, answered: asyncio.Semaphore) -> list[int]:
    """Stop and start every server in turn, under load; return the exit codes."""
    codes = []
    for place in range(SERVERS):
        for _ in range(REPORTS_BETWEEN):
            await answered.acquire()
        codes.append(await servers.end(place, signal.SIGTERM))
        await servers.start(place)
    return codes


@pytest.fixture
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients expect the name in the certificate: a list of addresses has none, unlike a Service."""
    named = *connection.CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", "127.0.0.1")
    monkeypatch.setattr(connection, "CHANNEL_OPTIONS", named)


@pytest.mark.usefixtures("_named")
async def test_rollout_with_tls_and_tokens_fails_no_report(tokens: Tokens, tmp_path: Path) -> None:
    """Each server exits 0, and each report is answered and recorded exactly once."""
    authority = Authority("ours")
    certificate, key = authority.sign("server").write(tmp_path, "server")
    ca = authority.write(tmp_path)
    worker, operator = tokens.add("worker", Role.WORKER), tokens.add("operator", Role.OPERATOR, Role.READER)
    url = f"sqlite+aiosqlite:///{tmp_path / 'batches.db'}"
    await upgrade(url)
    serving = cluster(
        url,
        SERVERS,
        PROGRESS_TLS_CERTIFICATE_FILE=str(certificate),
        PROGRESS_TLS_KEY_FILE=str(key),
        PROGRESS_TOKENS_FILE=str(tokens.path),
    )
    async with asyncio.timeout(SECONDS_MAX), serving as servers:
        owner = Connection(servers.target, TlsFiles(ca), operator)
        async with owner.open_async() as channel:
            request = pb.CreateBatchRequest(batch_id="b", total_jobs=1_000_000)
            await stub_of(channel).CreateBatch(request, metadata=owner.metadata())
            answered, done = asyncio.Semaphore(0), asyncio.Event()
            workers = [
                Worker(f"worker-{number}", Connection(servers.target, TlsFiles(ca), worker), answered)
                for number in range(WORKERS)
            ]
            reporting = [asyncio.create_task(one.report_until(done)) for one in workers]
            assert await roll_out(servers, answered) == [0] * SERVERS
            done.set()
            reported = sum(await asyncio.gather(*reporting))
            asked = pb.GetBatchRequest(batch_id="b")
            batch = (await stub_of(channel).GetBatch(asked, metadata=owner.metadata())).batch
    assert batch.succeeded_jobs == reported > SERVERS * REPORTS_BETWEEN
