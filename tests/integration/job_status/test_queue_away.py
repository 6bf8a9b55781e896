"""What is answered while the queue does not answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.job_status.source import QueueUnavailable
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from tests.integration.job_status.answers import refused
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.job_status.servers import serving

SENTENCE = "The queue does not answer; nothing is known."
FROZEN_SECONDS = 0.1
"""The real limit is 10 s; what is tested is that there is one."""


@pytest.fixture
async def frozen_url() -> AsyncIterator[str]:
    """Return the URL of a MySQL server that takes connections and then says nothing."""
    silent = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"mysql+asyncmy://user:s3cret@127.0.0.1:{port}/queue"
    silent.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("source", ["laravel", "job_table"])
async def test_missing_database(source: str, tmp_path: Path) -> None:
    """Without its database a queue is unavailable, in our own words; no database is made in its place."""
    file = tmp_path / "missing.db"
    async with serving(source, f"sqlite+aiosqlite:///{file}") as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "QUEUE_UNAVAILABLE")
    assert answer.message == SENTENCE
    assert not file.exists()


@pytest.mark.parametrize("source", ["laravel", "job_table"])
async def test_missing_table(source: str, tmp_path: Path) -> None:
    """The statement that found no table stays in the server."""
    (tmp_path / "empty.db").touch()
    async with serving(source, f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}") as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.message) == (grpc.StatusCode.UNAVAILABLE, SENTENCE)


async def test_refused_connection(unused_port: int) -> None:
    """The address and the user of a database that is down stay in the server."""
    async with serving("laravel", f"mysql+asyncmy://user:s3cret@127.0.0.1:{unused_port}/queue") as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.message) == (grpc.StatusCode.UNAVAILABLE, SENTENCE)


async def test_queue_comes_back(queue_url: str) -> None:
    """A queue that comes back is asked again, without a restart."""
    async with serving("job_table", queue_url) as client:
        await refused(client.counts("batch"))
        queue = JobTableQueue(queue_url)
        await queue.create()
        await queue.put("batch", {"a": "waiting"})
        assert (await client.counts("batch")).pending == 1


async def test_frozen_server(frozen_url: str) -> None:
    """A server that takes the connection and says nothing is unavailable after a while, each time."""
    source = JobTableSource(QueueDatabase(frozen_url, query_seconds_max=FROZEN_SECONDS), "jobs")
    for _ in range(2):
        async with asyncio.timeout(FROZEN_SECONDS * 50):
            with pytest.raises(QueueUnavailable):
                await source.batch_counts("batch")
    await source.close()


async def test_more_callers_than_connections(frozen_url: str) -> None:
    """Callers that wait for a connection wait no longer than the others."""
    source = JobTableSource(QueueDatabase(frozen_url, query_seconds_max=FROZEN_SECONDS), "jobs")
    async with asyncio.timeout(FROZEN_SECONDS * 50):
        answers = await asyncio.gather(
            *(source.batch_counts("batch") for _ in range(20)), return_exceptions=True
        )
    assert {type(answer) for answer in answers} == {QueueUnavailable}
    await source.close()
