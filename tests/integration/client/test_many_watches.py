"""More watches than a connection may have calls."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from batchprogress import AsyncClient, Batch, Client
from batchprogress._grpc import channels
from batchprogress._grpc.call_process import STREAMS_PER_CHANNEL_MAX
from rpc.serving import server as server_module
from rpc.serving.server import STREAMS_MAX
from tests.integration.client.either import opened
from tests.support.not_run import absent
from tests.support.progress import progress_process, served

BATCH = "b"
SERVER_STREAMS = 10
WATCHES = 25
PROXY_STREAMS = 100
"""What Envoy and haproxy allow on a connection; nginx allows 128."""
CALLS = 1_000
CLOSES_LOOPS_WITH_MANY_STREAMS = (1, 78)
"""The version of grpcio that has https://github.com/grpc/grpc/pull/40989; the client's README tells."""
SECONDS_MAX = 30.0
"""Without another connection, the watches beyond the limit would wait for ever."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a new database."""
    return f"sqlite+aiosqlite:///{tmp_path}/t.db"


def grpc_version() -> tuple[int, ...]:
    """Return major and minor version of the grpcio that the test runs with."""
    return tuple(int(number) for number in grpc.__version__.split(".")[:2])


async def first_states(client: Client | AsyncClient, number: int) -> list[Batch]:
    """Open watches at the same time, call the server meanwhile, and return the first state of each watch."""
    async with asyncio.timeout(SECONDS_MAX):
        if isinstance(client, AsyncClient):
            return await _awaited_states(client, number)
        with ThreadPoolExecutor(number) as threads:
            return await asyncio.get_running_loop().run_in_executor(None, _states, client, number, threads)


async def _awaited_states(client: AsyncClient, number: int) -> list[Batch]:
    watches = [client.watch(BATCH) for _ in range(number)]
    states = await asyncio.gather(*(anext(watch) for watch in watches))
    await client.get(BATCH)
    for watch in watches:
        await watch.aclose()
    return states


def _states(client: Client, number: int, threads: ThreadPoolExecutor) -> list[Batch]:
    watches = [client.watch(BATCH) for _ in range(number)]
    states = list(threads.map(next, watches))
    client.get(BATCH)
    for watch in watches:
        watch.close()
    return states


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_watches_beyond_the_streams_of_a_connection_get_their_states(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: type[Client | AsyncClient]
) -> None:
    """A client opens more connections; other calls are answered beside the watches."""
    monkeypatch.setattr(server_module, "STREAMS_MAX", SERVER_STREAMS)
    monkeypatch.setattr(channels, "WATCHES_PER_CHANNEL_MAX", SERVER_STREAMS // 2)
    async with (
        served(url) as server,
        opened(kind, f"127.0.0.1:{server.port}") as client,
    ):
        await server.create(BATCH, 1)
        states = await first_states(client.client, WATCHES)
    assert [state.batch_id for state in states] == [BATCH] * WATCHES


@pytest.mark.more("opens many streams in another process")
@pytest.mark.usefixtures("_in_a_forked_child")
async def test_call_process_opens_more_connections(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """It makes the watches of all processes that were forked from one."""
    monkeypatch.setattr(server_module, "STREAMS_MAX", STREAMS_PER_CHANNEL_MAX)
    number = STREAMS_PER_CHANNEL_MAX + 5
    async with (
        served(url) as server,
        opened(Client, f"127.0.0.1:{server.port}") as client,
    ):
        await server.create(BATCH, 1)
        assert len(await first_states(client.client, number)) == number


@pytest.mark.more("opens 2,500 streams")
async def test_one_client_has_more_watches_than_the_server_allows_on_a_connection(url: str) -> None:
    if grpc_version() < CLOSES_LOOPS_WITH_MANY_STREAMS:
        absent("grpcio before 1.78 may hang when an event loop with more than 1,000 streams closes")
    number = STREAMS_MAX + 500
    async with (
        progress_process(url) as server,
        opened(AsyncClient, server.target) as client,
    ):
        await client.call("create", BATCH, 1)
        assert len(await first_states(client.client, number)) == number


@pytest.mark.more("makes 300 calls beside 200 watches")
async def test_calls_beside_watches_are_answered_where_a_proxy_allows_100_streams(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """They take turns on the streams that the watches of the first connection leave."""
    monkeypatch.setattr(server_module, "STREAMS_MAX", PROXY_STREAMS)
    async with (
        served(url) as server,
        opened(AsyncClient, f"127.0.0.1:{server.port}", timeout=SECONDS_MAX) as either,
    ):
        await server.create(BATCH, CALLS)
        client = either.client
        assert isinstance(client, AsyncClient)
        watches = [client.watch(BATCH) for _ in range(2 * PROXY_STREAMS)]
        async with asyncio.timeout(SECONDS_MAX):
            await asyncio.gather(*(anext(watch) for watch in watches))
            answers = await asyncio.gather(*(client.seal(BATCH) for _ in range(3 * PROXY_STREAMS)))
        assert {batch.batch_id for batch in answers} == {BATCH}
        for watch in watches:
            await watch.aclose()


@pytest.mark.more("starts 1,000 threads")
async def test_reports_of_1000_threads_are_recorded_where_a_proxy_allows_100_streams(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """They share the calls of one reporter."""
    monkeypatch.setattr(server_module, "STREAMS_MAX", PROXY_STREAMS)
    async with served(url) as server, opened(AsyncClient, f"127.0.0.1:{server.port}") as either:
        await server.create(BATCH, CALLS)
        client = either.client
        assert isinstance(client, AsyncClient)
        async with client.reporter(BATCH) as reporter, asyncio.timeout(SECONDS_MAX):
            with ThreadPoolExecutor(CALLS) as threads:
                await asyncio.get_running_loop().run_in_executor(
                    None, lambda: list(threads.map(reporter.succeeded, map(str, range(CALLS))))
                )
            assert await reporter.flush(SECONDS_MAX)
        assert (await server.get(BATCH)).succeeded_jobs == CALLS
