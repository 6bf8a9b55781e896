"""The service while its queue is unavailable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from services.job_status.source import QueueUnavailable
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from services.job_status.sources.redis import QueueRedis
from tests.integration.job_status.answers import refused
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.job_status.servers import serving

MESSAGE = "The queue is unavailable."
FROZEN_SECONDS = 0.1
"""The real limit is 10 s; the tests only show that there is one."""


@pytest.fixture
async def frozen_url() -> AsyncIterator[str]:
    """Yield the URL of a MySQL server that accepts connections and never sends anything."""
    silent = asyncio.Event()

    async def stay_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"mysql+asyncmy://user:s3cret@127.0.0.1:{port}/queue"
    silent.set()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def slow_redis_url() -> AsyncIterator[str]:
    """Yield the URL of a Redis that sends an answer every tenth of FROZEN_SECONDS, whatever the commands."""

    async def answer_slowly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                writer.write(b"+OK\r\n")
                await writer.drain()
                await asyncio.sleep(FROZEN_SECONDS / 10)

    server = await asyncio.start_server(answer_slowly, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("source", ["laravel", "job_table"])
async def test_missing_database_is_unavailable(source: str, tmp_path: Path) -> None:
    """The service does not create it, and answers with its own message."""
    file = tmp_path / "missing.db"
    async with serving(source, f"sqlite+aiosqlite:///{file}") as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "QUEUE_UNAVAILABLE")
    assert answer.message == MESSAGE
    assert not file.exists()


@pytest.mark.parametrize("source", ["laravel", "job_table"])
async def test_missing_table_is_unavailable(source: str, tmp_path: Path) -> None:
    """The message does not contain the statement."""
    (tmp_path / "empty.db").touch()
    async with serving(source, f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}") as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.message) == (grpc.StatusCode.UNAVAILABLE, MESSAGE)


async def test_refused_connection_is_unavailable(unused_port: int) -> None:
    """The message contains neither the address nor the user."""
    async with serving("laravel", f"mysql+asyncmy://user:s3cret@127.0.0.1:{unused_port}/queue") as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.message) == (grpc.StatusCode.UNAVAILABLE, MESSAGE)


async def test_recovered_queue_is_read_again(queue_url: str) -> None:
    """The service needs no restart."""
    async with serving("job_table", queue_url) as client:
        await refused(client.counts("batch"))
        queue = JobTableQueue(queue_url)
        await queue.create()
        await queue.put("batch", {"a": "waiting"})
        assert (await client.counts("batch")).pending == 1


async def test_frozen_database_is_unavailable_after_the_time_out(frozen_url: str) -> None:
    """Each query times out, not only the first one."""
    source = JobTableSource(QueueDatabase(frozen_url, query_seconds_max=FROZEN_SECONDS), "jobs")
    for _ in range(2):
        async with asyncio.timeout(FROZEN_SECONDS * 50):
            with pytest.raises(QueueUnavailable):
                await source.batch_counts("batch")
    await source.close()


async def test_slow_redis_is_unavailable_after_the_time_out(slow_redis_url: str) -> None:
    """The time-out limits all commands together, even if each answer arrives in time."""
    redis = QueueRedis(slow_redis_url, answer_seconds_max=FROZEN_SECONDS)
    with pytest.raises(QueueUnavailable):
        await redis.execute(*[("EXISTS", "key")] * 20)
    await redis.close()


async def test_wait_for_a_connection_counts_towards_the_time_out(frozen_url: str) -> None:
    """There are more callers than connections."""
    source = JobTableSource(QueueDatabase(frozen_url, query_seconds_max=FROZEN_SECONDS), "jobs")
    async with asyncio.timeout(FROZEN_SECONDS * 50):
        answers = await asyncio.gather(
            *(source.batch_counts("batch") for _ in range(20)), return_exceptions=True
        )
    assert {type(answer) for answer in answers} == {QueueUnavailable}
    await source.close()
