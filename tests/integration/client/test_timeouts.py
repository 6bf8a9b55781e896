"""Every time-out holds, whatever is up or away between a client and its server."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from batchprogress import AsyncClient, Client, ProxyAnswered, Unavailable, WaitTimeout, bar
from batchprogress._grpc import retry
from tests.integration.client.either import opened
from tests.support.http2_server import Answer, http2_server, http_status
from tests.support.silent_server import silent_server

SECONDS_MAX = 30.0
"""A test that takes longer waits for ever."""
Server = Callable[[], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """Run a proxy that takes every request, and whose servers never answer."""
    async with http2_server(lambda _request: Answer([], hangs=True)) as target:
        yield target


@asynccontextmanager
async def unavailable() -> AsyncIterator[str]:
    """Run a proxy whose servers are away."""
    async with http2_server(lambda _request: http_status(503)) as target:
        yield target


@pytest.fixture(params=[hanging, unavailable, silent_server])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Return the address of something that is not a server."""
    async with request.param() as address:
        yield address


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_calls_and_waits_end_at_their_timeout(kind: type[Client | AsyncClient], target: str) -> None:
    """The errors say how long was waited for whom."""
    async with asyncio.timeout(SECONDS_MAX), opened(kind, target, timeout=0.3) as client:
        with pytest.raises(Unavailable, match=rf"no answer to GetBatch of batch 'b' at {target}"):
            await client.call("get", "b")
        with pytest.raises(WaitTimeout, match=rf"{target} did not answer about batch 'b' within 0.3 s"):
            await client.call("wait", "b", 0.3)


async def test_a_bar_ends_at_its_timeout(target: str) -> None:
    """Also before the first state."""
    async with asyncio.timeout(SECONDS_MAX):
        with pytest.raises(WaitTimeout, match=rf"{target} did not answer about batch 'b' within 0.3 s"):
            await asyncio.to_thread(bar, target, "b", file=io.StringIO(), timeout=0.3)


async def test_a_bar_says_which_proxy_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status that the stream has lost comes from the unary call."""
    monkeypatch.setattr(retry, "BACKOFF_SECONDS_MAX", 0.01)
    async with asyncio.timeout(SECONDS_MAX), http2_server(lambda _request: http_status(302)) as target:
        with pytest.raises(ProxyAnswered, match=f"HTTP 302 from {target}: a proxy answered") as raised:
            await asyncio.to_thread(bar, target, "b", file=io.StringIO())
    assert (raised.value.http_status, raised.value.batch_id) == (302, "b")
