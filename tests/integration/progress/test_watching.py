"""What a watcher sees: only what was true, newest wins, in rising order, to the end."""

import asyncio
from contextlib import AsyncExitStack

import grpc
import pytest
from google.protobuf import duration_pb2

from batchprogress.v1 import progress_pb2 as pb
from tests.support.answers import answered
from tests.support.progress import Served, served, stub_of

SECONDS_MAX = 10
"""How long a test waits for what must come; far above what it takes, since speed is not tested here."""


async def watched(progress: Served, **fields: object) -> list[pb.Batch]:
    """Watch a batch to the end of the stream."""
    request = pb.WatchBatchRequest(batch_id="b", **fields)  # type: ignore[arg-type]  # fields of the request
    async with asyncio.timeout(SECONDS_MAX):
        return [message.batch async for message in progress.stub.WatchBatch(request)]


async def test_the_current_batch_comes_at_once(progress: Served) -> None:
    """A watch begins with the batch as it is, though nothing changes."""
    await progress.create("b", 2)
    await progress.report("b", "j1")
    call = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
    async with asyncio.timeout(SECONDS_MAX):
        message = await call.read()
    assert isinstance(message, pb.WatchBatchResponse)
    assert (message.batch.revision, message.batch.succeeded_jobs) == (2, 1)
    call.cancel()


async def test_a_watch_ends_with_the_batch(progress: Served) -> None:
    """Revisions rise strictly, tallies never fall, and the stream ends OK after the final state."""
    await progress.create("b", 50)
    watching = asyncio.create_task(watched(progress))
    for number in range(50):
        await progress.report("b", f"j{number}")
    batches = await watching
    revisions = [batch.revision for batch in batches]
    assert revisions == sorted(set(revisions))
    assert [batch.succeeded_jobs for batch in batches] == sorted(batch.succeeded_jobs for batch in batches)
    assert (batches[-1].state, batches[-1].percent_complete) == (pb.BATCH_STATE_COMPLETED, 100)


async def test_a_watcher_that_comes_back_gets_nothing_twice(progress: Served) -> None:
    """after_revision resumes a watch: only newer states come, and none is missed."""
    await progress.create("b", 2)
    first = await progress.report("b", "j1")
    resumed = asyncio.create_task(watched(progress, after_revision=first.revision))
    last = await progress.report("b", "j2")
    assert [batch.revision for batch in await resumed] == [last.revision]


async def test_an_ended_batch_that_was_seen_ends_the_watch_at_once(progress: Served) -> None:
    """A watch after the final revision ends OK without a message."""
    await progress.create("b", 1)
    last = await progress.report("b", "j1")
    assert await watched(progress, after_revision=last.revision) == []


async def test_cancelling_a_batch_ends_its_watches(progress: Served) -> None:
    """A watcher is sent the CANCELLED state, then the stream ends OK."""
    await progress.create("b", 5)
    watching = asyncio.create_task(watched(progress))
    await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
    assert (await watching)[-1].state == pb.BATCH_STATE_CANCELLED


async def test_a_slow_watcher_skips_states(progress: Served) -> None:
    """With min_interval a watcher gets few states, and the last one without waiting for the interval."""
    await progress.create("b", 40)
    interval = duration_pb2.Duration(seconds=60)
    watching = asyncio.create_task(watched(progress, min_interval=interval))
    for number in range(40):
        await progress.report("b", f"j{number}")
    batches = await watching
    assert len(batches) <= 2
    assert batches[-1].state == pb.BATCH_STATE_COMPLETED


async def test_changes_made_through_another_server_are_seen(progress: Served, database_url: str) -> None:
    """A watcher of one server sees the commits of another one."""
    await progress.create("b", 3)
    watching = asyncio.create_task(watched(progress))
    async with served(database_url) as other:
        for number in range(3):
            await other.report("b", f"j{number}")
        assert (await watching)[-1].succeeded_jobs == 3


async def test_a_full_server_refuses_watches(database_url: str) -> None:
    """Beyond watches_max a watch is RESOURCE_EXHAUSTED with RetryInfo; an ended one makes room again."""
    async with served(database_url, watches_max=1) as progress:
        await progress.create("b", 1)
        first = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
        await first.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watched(progress)
        answer = answered(caught.value)
        assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES")
        assert answer.retry_seconds
        await progress.report("b", "j1")
        while await first.read() is not grpc.aio.EOF:
            pass
        assert [batch.state for batch in await watched(progress)] == [pb.BATCH_STATE_COMPLETED]


async def test_watches_end_so_that_clients_resume_when_a_server_stops(database_url: str) -> None:
    """A server that stops ends its watches UNAVAILABLE; another one goes on from there."""
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(served(database_url))
        async with served(database_url) as first:
            await first.create("b", 1)
            # A channel of its own: the context closes its channel before it stops the server.
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{first.port}")
            await stack.enter_async_context(channel)
            call = stub_of(channel).WatchBatch(pb.WatchBatchRequest(batch_id="b"))
            message = await call.read()
            ending = asyncio.create_task(call.read())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ending
        answer = answered(caught.value)
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert isinstance(message, pb.WatchBatchResponse)
        resumed = asyncio.create_task(watched(second, after_revision=message.batch.revision))
        await second.report("b", "j1")
        assert [batch.state for batch in await resumed] == [pb.BATCH_STATE_COMPLETED]
