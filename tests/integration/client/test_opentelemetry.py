"""The client under `opentelemetry-instrument`, whose interceptors replace gRPC's calls by generators."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcInstrumentorClient

from batchprogress import AsyncClient, BatchConflict, BatchNotFound, Client, Reporter, bar
from tests.integration.client.either import opened
from tests.support.progress import Served, served

SECONDS_MAX = 30.0
KINDS = [Client, AsyncClient]


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    """Instrument gRPC as `opentelemetry-instrument` does."""
    instrumentors = GrpcInstrumentorClient(), GrpcAioInstrumentorClient()  # type: ignore[no-untyped-call]
    for one in instrumentors:
        one.instrument()
    assert hasattr(grpc.insecure_channel, "__wrapped__")
    yield
    for one in instrumentors:
        one.uninstrument()


@pytest_asyncio.fixture
async def progress(tmp_path: Path) -> AsyncIterator[Served]:
    """Run a server that has room for one watch."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db", watches_max=1) as running:
        yield running


async def first_of(client: Client | AsyncClient, held: list[Any]) -> None:
    """Watch until the first state, then break; the iterator is held, so that only closing it can end it."""
    if isinstance(client, AsyncClient):
        states = client.watch("b")
        held.append(states)
        await anext(states)
        await states.aclose()
    else:
        held.append(client.watch("b"))
        await asyncio.to_thread(next, held[0])
        await asyncio.to_thread(held[0].close)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_watch_ends_by_itself_and_by_a_break(
    progress: Served, kind: type[Client | AsyncClient]
) -> None:
    """The server has room for one watch: the second one begins only when the first has ended."""
    await progress.create("b", 1)
    held: list[Any] = []
    async with opened(kind, f"127.0.0.1:{progress.port}") as either, asyncio.timeout(SECONDS_MAX):
        await first_of(either.client, held)
        watching = asyncio.create_task(either.every("watch", "b"))
        await progress.report("b", "a")
        assert (await watching)[-1].has_ended
        with pytest.raises(BatchNotFound):
            await either.every("watch", "unknown")


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_and_their_errors_are_the_same(
    progress: Served, kind: type[Client | AsyncClient]
) -> None:
    async with opened(kind, f"127.0.0.1:{progress.port}") as either:
        assert (await either.call("create", "b", 2)).total_jobs == 2
        with pytest.raises(BatchConflict):
            await either.call("create", "b", 3)
        with pytest.raises(BatchNotFound):
            await either.call("get", "unknown")


async def test_a_reporter_and_a_bar_work(progress: Served) -> None:
    await progress.create("b", 1)
    target, out = f"127.0.0.1:{progress.port}", StringIO()
    drawing = asyncio.create_task(asyncio.to_thread(bar, target, "b", file=out))
    reporter = Reporter(target, "b")
    reporter.succeeded("a")
    reporter.succeeded("too-many")
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    assert (reporter.counts.recorded, reporter.counts.dropped) == (1, {"BATCH_FULL": 1})
    assert (await drawing).succeeded_jobs == 1
