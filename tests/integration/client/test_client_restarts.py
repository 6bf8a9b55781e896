"""Client and AsyncClient while their server is away."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from batchprogress import AsyncClient, Client, Unavailable, WaitTimeout
from database_servers.ports import free_port
from tests.faults.cluster import Cluster
from tests.integration.client.either import Either, opened

SECONDS_MAX = 60.0
KINDS = [Client, AsyncClient]


@pytest_asyncio.fixture(params=KINDS)
async def client(request: pytest.FixtureRequest, target: str) -> AsyncIterator[Either]:
    """A client of either kind."""
    async with opened(request.param, target, timeout=SECONDS_MAX) as either:
        yield either


async def test_a_call_is_tried_until_the_server_is_back(client: Either, servers: Cluster) -> None:
    """A call that is made while the server is away succeeds once it serves again."""
    await servers.end(0, signal.SIGKILL)
    creating = asyncio.create_task(client.call("create", "b", 7))
    await servers.start(0)
    assert (await creating).total_jobs == 7


async def test_wait_tells_that_the_server_was_away(client: Either, servers: Cluster) -> None:
    """If no answer ever came, the error has no last state."""
    await servers.end(0, signal.SIGKILL)
    with pytest.raises(WaitTimeout, match="did not answer") as raised:
        await client.call("wait", "b", 0.5)
    assert raised.value.batch is None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_is_away_raises_unavailable(kind: type[Client | AsyncClient]) -> None:
    """The error tells how often and how long it was tried, and why there was no answer."""
    target = f"127.0.0.1:{free_port()}"
    async with opened(kind, target, timeout=1.0) as client:
        with pytest.raises(Unavailable, match="refused") as raised:
            await client.call("get", "b")
    error = raised.value
    assert error.reason == "UNAVAILABLE"
    assert error.tries > 1
    assert 0.0 < error.seconds <= 1.0
    assert target in str(error)


@pytest.mark.parametrize("kind", KINDS)
async def test_without_retry_the_first_failure_is_raised(kind: type[Client | AsyncClient]) -> None:
    """Neither a call nor a watch is tried again."""
    async with opened(kind, f"127.0.0.1:{free_port()}", retry=False) as client:
        for work in (client.call("get", "b"), client.every("watch", "b"), client.call("wait", "b", 60)):
            with pytest.raises(Unavailable) as raised:
                await work
            assert raised.value.tries == 1
