"""Watches through restarts of the server."""

import asyncio
import signal
from itertools import pairwise

import pytest

from batchprogress import AsyncClient, Batch, BatchNotFound, BatchState, Client
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import Cluster
from tests.integration.client.either import opened
from tests.support.progress import Served

SECONDS_MAX = 60.0
JOBS = 20
KINDS = [Client, AsyncClient]


class Received:
    """The states that a watch has yielded."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._news = asyncio.Condition()

    async def add(self, batch: Batch) -> None:
        """Add a state."""
        async with self._news:
            self.batches.append(batch)
            self._news.notify_all()

    async def succeeded(self, jobs: int) -> None:
        """Wait for a state with at least this number of succeeded jobs."""
        async with asyncio.timeout(SECONDS_MAX), self._news:
            await self._news.wait_for(lambda: self.batches and self.batches[-1].succeeded_jobs >= jobs)


async def report(progress: Served, first: int, last: int) -> None:
    """Report jobs to a server that may be restarting."""
    for number in range(first, last):
        request = pb.ReportJobResultRequest(
            batch_id="b", job_id=f"j{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED
        )
        await progress.stub.ReportJobResult(request, wait_for_ready=True)


async def receive(kind: type[Client | AsyncClient], target: str, received: Received) -> None:
    """Watch the batch to its end."""
    async with opened(kind, target) as either:
        if isinstance(either.client, AsyncClient):
            async for batch in either.client.watch("b"):
                await received.add(batch)
            return
        loop = asyncio.get_running_loop()
        client = either.client

        def receive_all() -> None:
            for batch in client.watch("b"):
                asyncio.run_coroutine_threadsafe(received.add(batch), loop).result(SECONDS_MAX)

        await asyncio.to_thread(receive_all)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.more("restarts a server again"))],
)
async def test_a_watch_continues_after_a_restart(
    servers: Cluster, progress: Served, target: str, how: signal.Signals, kind: type[Client | AsyncClient]
) -> None:
    """Revisions rise, none comes twice, and the last state is the end of the batch."""
    await progress.create("b", JOBS)
    received = Received()
    watching = asyncio.create_task(receive(kind, target, received))
    await report(progress, 0, JOBS // 2)
    await received.succeeded(JOBS // 2)
    await servers.end(0, how)
    await servers.start(0)
    await report(progress, JOBS // 2, JOBS)
    async with asyncio.timeout(SECONDS_MAX):
        await watching
    revisions = [batch.revision for batch in received.batches]
    assert all(before < after for before, after in pairwise(revisions))
    last = received.batches[-1]
    assert (last.state, last.percent_complete) == (BatchState.COMPLETED, 100)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_watch_begins_after_the_given_revision(
    progress: Served, target: str, kind: type[Client | AsyncClient]
) -> None:
    """A batch that ended before the revision yields nothing."""
    await progress.create("b", 1)
    await report(progress, 0, 1)
    revision = (await progress.get("b")).revision
    async with opened(kind, target) as client:
        assert await client.every("watch", "b", after_revision=revision) == []
        assert [batch.revision for batch in await client.every("watch", "b")] == [revision]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_watch_of_an_unknown_batch_raises_at_once(
    target: str, kind: type[Client | AsyncClient]
) -> None:
    """BatchNotFound names the batch."""
    async with opened(kind, target) as client:
        with pytest.raises(BatchNotFound, match="'b'"):
            await client.every("watch", "b")
