"""A watcher sees only committed states, in rising order, and may skip all but the last."""

import asyncio
from contextlib import AsyncExitStack, suppress

import grpc
import pytest
from google.protobuf import duration_pb2

from batchprogress.v1 import progress_pb2 as pb
from services.progress.servicer import HEARTBEAT_KEY
from tests.support.answers import answered
from tests.support.progress import Served, served, stub_of

SECONDS_MAX = 10
"""How long a test waits; far longer than needed, since speed is not tested here."""


async def watched(progress: Served, **fields: object) -> list[pb.Batch]:
    """Watch a batch to the end of the stream."""
    request = pb.WatchBatchRequest(batch_id="b", **fields)  # type: ignore[arg-type]  # the fields of the request
    async with asyncio.timeout(SECONDS_MAX):
        return [message.batch async for message in progress.stub.WatchBatch(request)]


async def replace(progress: Served) -> None:
    """Replace the batch, which has ended, by one of a single job."""
    request = pb.CreateBatchRequest(batch_id="b", total_jobs=1, request_id="r", if_ended=pb.IF_ENDED_REPLACE)
    await progress.stub.CreateBatch(request)


async def test_watch_begins_with_the_current_state(progress: Served) -> None:
    """The state is sent even if nothing changes."""
    await progress.create("b", 2)
    await progress.report("b", "j1")
    call = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
    async with asyncio.timeout(SECONDS_MAX):
        message = await call.read()
    assert isinstance(message, pb.WatchBatchResponse)
    assert (message.batch.revision, message.batch.succeeded_jobs) == (2, 1)
    call.cancel()


async def test_quiet_watch_begins_with_its_initial_metadata(progress: Served) -> None:
    """It comes before any state, so that clients and proxies know that the stream stands."""
    last = await progress.create("b", 1)
    call = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b", after_revision=last.revision))
    async with asyncio.timeout(SECONDS_MAX):
        assert HEARTBEAT_KEY not in dict(tuple(await call.initial_metadata()))
    call.cancel()


@pytest.mark.more("waits for heartbeats, which are a second apart")
async def test_quiet_watch_has_the_heartbeats_that_it_asks_for(progress: Served) -> None:
    """They have no batch; states come as without them, up to the end."""
    batch = await progress.create("b", 1)
    request = pb.WatchBatchRequest(
        batch_id="b",
        after_revision=batch.revision,
        heartbeat_interval=duration_pb2.Duration(seconds=1, nanos=500_000_000),
    )
    call = progress.stub.WatchBatch(request)
    async with asyncio.timeout(SECONDS_MAX):
        assert dict(tuple(await call.initial_metadata()))[HEARTBEAT_KEY] == "1.5"
        messages = aiter(call)
        assert [await anext(messages), await anext(messages)] == [pb.WatchBatchResponse()] * 2
        await progress.report("b", "j1")
        states = [message.batch async for message in messages if message.HasField("batch")]
    assert [state.percent_complete for state in states] == [100]


async def test_watch_ends_with_the_batch(progress: Served) -> None:
    """Revisions rise strictly, tallies never fall, and the stream ends with OK after the final state."""
    await progress.create("b", 50)
    watching = asyncio.create_task(watched(progress))
    for number in range(50):
        await progress.report("b", f"j{number}")
    batches = await watching
    revisions = [batch.revision for batch in batches]
    assert revisions == sorted(set(revisions))
    assert [batch.succeeded_jobs for batch in batches] == sorted(batch.succeeded_jobs for batch in batches)
    assert (batches[-1].state, batches[-1].percent_complete) == (pb.BATCH_STATE_COMPLETED, 100)


async def test_resumed_watch_repeats_and_misses_nothing(progress: Served) -> None:
    """A watch with after_revision gets only newer states, up to the final one."""
    await progress.create("b", 2)
    first = await progress.report("b", "j1")
    resumed = asyncio.create_task(watched(progress, after_revision=first.revision))
    last = await progress.report("b", "j2")
    assert [batch.revision for batch in await resumed] == [last.revision]


async def test_watch_never_mixes_a_batch_with_the_one_that_replaces_it(progress: Served) -> None:
    """It ends with the final state, or with NOT_FOUND if the batch was replaced before that was read."""
    await progress.create("b", 1)
    call = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
    async with asyncio.timeout(SECONDS_MAX):
        states = aiter(call)
        seen = [(await anext(states)).batch.state]
        await progress.report("b", "j")
        await replace(progress)
        with suppress(grpc.aio.AioRpcError):
            seen += [message.batch.state async for message in states]
    final = [pb.BATCH_STATE_COMPLETED] if await call.code() == grpc.StatusCode.OK else []
    assert seen == [pb.BATCH_STATE_PROCESSING, *final]
    assert await call.code() in {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}


async def test_watch_after_a_revision_of_a_replaced_batch_begins_with_the_new_one(progress: Served) -> None:
    """It does not wait until the new batch has as many revisions as the old one."""
    await progress.create("b", 9)
    for number in range(9):
        old = await progress.report("b", f"j{number}")
    await replace(progress)
    call = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b", after_revision=old.revision))
    async with asyncio.timeout(SECONDS_MAX):
        message = await call.read()
    assert isinstance(message, pb.WatchBatchResponse)
    assert (old.revision, message.batch.revision, message.batch.pending_jobs) == (10, 1, 1)
    call.cancel()


async def test_watch_after_the_final_revision_ends_at_once(progress: Served) -> None:
    """The stream ends with OK and sends no message."""
    await progress.create("b", 1)
    last = await progress.report("b", "j1")
    assert await watched(progress, after_revision=last.revision) == []


async def test_cancellation_ends_the_watches(progress: Served) -> None:
    """A watcher gets the CANCELLED state, then the stream ends with OK."""
    await progress.create("b", 5)
    watching = asyncio.create_task(watched(progress))
    await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
    assert (await watching)[-1].state == pb.BATCH_STATE_CANCELLED


async def test_watcher_with_an_interval_skips_states(progress: Served) -> None:
    """The last state does not wait for the interval."""
    await progress.create("b", 40)
    interval = duration_pb2.Duration(seconds=60)
    watching = asyncio.create_task(watched(progress, min_interval=interval))
    for number in range(40):
        await progress.report("b", f"j{number}")
    batches = await watching
    assert len(batches) <= 2
    assert batches[-1].state == pb.BATCH_STATE_COMPLETED


async def test_watcher_sees_the_commits_of_another_server(progress: Served, database_url: str) -> None:
    await progress.create("b", 3)
    watching = asyncio.create_task(watched(progress))
    async with served(database_url) as other:
        for number in range(3):
            await other.report("b", f"j{number}")
        assert (await watching)[-1].succeeded_jobs == 3


async def test_server_refuses_too_many_watches(database_url: str) -> None:
    """Beyond watches_max a watch is RESOURCE_EXHAUSTED with RetryInfo; a closed watch makes room."""
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


async def test_watch_resumes_on_another_server_when_its_server_stops(database_url: str) -> None:
    """The stop ends the watch with UNAVAILABLE; the other server continues after the last revision."""
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(served(database_url))
        async with served(database_url, drain_seconds=5) as first:
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
