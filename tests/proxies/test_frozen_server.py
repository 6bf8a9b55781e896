"""A server that is frozen, or whose machine has gone: nothing tells the proxy."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from batchprogress import AsyncClient
from tests.faults.cluster import Cluster
from tests.faults.conftest import FULL
from tests.proxies.running import Running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True),
    pytest.mark.skipif(not FULL, reason="proxies notice it after 15 s, clients after 60 s"),
]
WATCHERS = 20
END_SECONDS_MAX = 150.0
"""A client takes a stream without heartbeats for dead after 60 s; its next try may reach the same server."""


async def test_watches_of_a_frozen_server_see_the_end(
    proxy: Running, servers: Cluster, figures: Callable[[str], None]
) -> None:
    """They go on at the other server."""
    batch_id = f"frozen-{proxy.name}"
    frozen, other = (servers.server(place) for place in range(2))
    async with AsyncClient(proxy.target) as client, AsyncClient(other.target) as direct:
        await direct.create(batch_id, 1)
        begun = asyncio.Semaphore(0)

        async def watch() -> float:
            async for batch in client.watch(batch_id):
                begun.release()
                if batch.has_ended:
                    return time.monotonic()
            raise AssertionError("the watch ended before the batch")

        watching = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
        for _ in range(WATCHERS):
            await begun.acquire()
        frozen.send(signal.SIGSTOP)
        try:
            async with direct.reporter(batch_id) as reporter:
                reporter.succeeded("job")
            ended_at = time.monotonic()
            async with asyncio.timeout(END_SECONDS_MAX):
                seen = await asyncio.gather(*watching)
        finally:
            frozen.send(signal.SIGCONT)
    late = sorted(at - ended_at for at in seen)
    figures(f"the end was seen after {late[0]:.1f} to {late[-1]:.1f} s")
