"""Client and AsyncClient watch many batches through a restart of the server."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from batchprogress import AsyncClient, Batch, BatchState, Client
from tests.faults.cluster import Cluster
from tests.integration.client.either import opened

SECONDS_MAX = 60.0


async def states(client: Client | AsyncClient, **filters: str) -> AsyncIterator[Batch]:
    """Yield what a client watches, each within a bounded time."""
    watching = client.watch_batches(labels=filters, min_interval=0)
    while True:
        async with asyncio.timeout(SECONDS_MAX):
            if isinstance(client, AsyncClient):
                yield await anext(watching)  # type: ignore[arg-type]
            else:
                yield await asyncio.to_thread(next, watching)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_watch_of_many_misses_no_end_while_the_server_restarts(
    servers: Cluster, target: str, kind: type[Client | AsyncClient]
) -> None:
    """And sees new batches before and after it."""
    async with opened(kind, target) as other:
        for batch_id in ("a", "b", "other"):
            team = "web" if batch_id == "other" else "data"
            await other.call("create", batch_id, 1, labels={"team": team})
        async with opened(kind, target) as either:
            watching = states(either.client, team="data")
            assert [(await anext(watching)).batch_id, (await anext(watching)).batch_id] == ["b", "a"]
            await servers.end(0, signal.SIGKILL)
            await servers.start(0)
            await other.call("cancel", "a")
            await other.call("create", "c", 1, labels={"team": "data"})
            seen = {batch.batch_id: batch for batch in [await anext(watching), await anext(watching)]}
            assert seen["a"].state is BatchState.CANCELLED
            assert seen["c"].state is BatchState.PROCESSING
