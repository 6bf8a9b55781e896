"""A watch of many batches sees each batch under way, each new one and each end, and goes on where it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2

from batchprogress.v1 import progress_pb2 as pb
from services.progress.servicer import HEARTBEAT_KEY
from tests.support.answers import Answered, answered
from tests.support.progress import Served

SECONDS_MAX = 10
"""How long a test waits; far longer than needed, since speed is not tested here."""
AT_ONCE = duration_pb2.Duration()


class Watch:
    """A watch, and what it was sent last."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.token = ""

    async def response(self) -> pb.WatchBatchesResponse:
        """Return the next response."""
        async with asyncio.timeout(SECONDS_MAX):
            response = await self.call.read()
        assert isinstance(response, pb.WatchBatchesResponse)
        assert response.resume_token
        self.token = response.resume_token
        return response

    async def batch(self) -> pb.Batch:
        """Return the next batch; nothing else may come first."""
        response = await self.response()
        assert response.HasField("batch")
        return response.batch

    async def first(self) -> list[pb.Batch]:
        """Return the first states, up to the response that follows them."""
        batches = []
        while (response := await self.response()).HasField("batch"):
            batches.append(response.batch)
        return batches

    async def refusal(self) -> Answered:
        """Return the error that the watch ends with; states may come before it."""
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await self._read_on()
        return answered(raised.value)

    async def _read_on(self) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while await self.call.read() is not grpc.aio.EOF:
                pass


@asynccontextmanager
async def watching(progress: Served, **fields: Any) -> AsyncIterator[Watch]:
    """Watch many batches while the context is open, without a pause between states."""
    request = pb.WatchBatchesRequest(**{"min_interval": AT_ONCE, **fields})
    call = progress.stub.WatchBatches(request)
    try:
        yield Watch(call)
    finally:
        call.cancel()


async def create(progress: Served, batch_id: str, total_jobs: int = 2, **labels: str) -> pb.Batch:
    """Create a batch with labels."""
    request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=total_jobs, labels=labels)
    return (await progress.stub.CreateBatch(request)).batch


async def cancel(progress: Served, batch_id: str) -> None:
    """End a batch."""
    await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id=batch_id))


def ids(batches: list[pb.Batch]) -> list[str]:
    """Return the ids of batches."""
    return [batch.batch_id for batch in batches]


async def test_watch_of_many_begins_with_the_batches_under_way(progress: Served) -> None:
    """The newest first, without those that have ended, and then a response without a batch."""
    for number in range(5):
        await create(progress, f"b{number}")
    await cancel(progress, "b3")
    async with watching(progress) as watch:
        assert ids(await watch.first()) == ["b4", "b2", "b1", "b0"]


async def test_watch_of_many_is_sent_new_batches_changes_and_ends(progress: Served) -> None:
    """Also a batch that has ended when it is created."""
    async with watching(progress) as watch:
        assert await watch.first() == []
        await create(progress, "b")
        assert (await watch.batch()).revision == 1
        await progress.report("b", "j1")
        assert (await watch.batch()).succeeded_jobs == 1
        await progress.report("b", "j2")
        assert (await watch.batch()).state == pb.BATCH_STATE_COMPLETED
        await create(progress, "empty", 0)
        assert (await watch.batch()).state == pb.BATCH_STATE_COMPLETED


async def test_watch_of_many_is_filtered_by_labels_and_prefix(progress: Served) -> None:
    """Both at the first states and later."""
    await create(progress, "a-1", team="data", env="live")
    await create(progress, "a-2", team="data")
    await create(progress, "b-1", team="data", env="live")
    async with watching(progress, labels={"team": "data", "env": "live"}, batch_id_prefix="a-") as watch:
        assert ids(await watch.first()) == ["a-1"]
        await create(progress, "a-3", team="data", env="test")
        await create(progress, "b-2", team="data", env="live")
        await cancel(progress, "a-2")
        await create(progress, "a-4", team="data", env="live")
        assert (await watch.batch()).batch_id == "a-4"


async def test_ended_batch_is_not_followed_any_longer(progress: Served) -> None:
    """A late result of a cancelled batch is not sent; the next batch is."""
    await create(progress, "b")
    async with watching(progress) as watch:
        await watch.first()
        await cancel(progress, "b")
        assert (await watch.batch()).state == pb.BATCH_STATE_CANCELLED
        await progress.report("b", "late")
        await create(progress, "c")
        assert (await watch.batch()).batch_id == "c"


async def test_resumed_watch_is_sent_the_ends_that_it_has_missed(progress: Served) -> None:
    """And those under way as at first; an end before the token was made may be sent again."""
    for batch_id in ("a", "b", "c"):
        await create(progress, batch_id, team="data")
    async with watching(progress, labels={"team": "data"}) as watch:
        await watch.first()
    await cancel(progress, "b")
    await create(progress, "other")
    await cancel(progress, "other")
    async with watching(progress, labels={"team": "data"}, resume_token=watch.token) as resumed:
        batches = await resumed.first()
        assert ids(batches) == ["c", "a", "b"]
        assert batches[-1].state == pb.BATCH_STATE_CANCELLED


async def test_fresh_watch_is_sent_no_ends(progress: Served) -> None:
    """Not even of a batch that has just ended."""
    await create(progress, "b")
    await cancel(progress, "b")
    async with watching(progress) as watch:
        assert await watch.first() == []


@pytest.mark.parametrize("token", ["x", "WyIxIiwgMV0", "é", "A" * 600])
async def test_made_up_resume_token_is_invalid(progress: Served, token: str) -> None:
    """Whatever it looks like."""
    async with watching(progress, resume_token=token) as watch:
        answer = await watch.refusal()
        assert answer.fields == ("resume_token",)


async def test_resume_token_of_other_filters_is_invalid(progress: Served) -> None:
    """A token continues the watch that it is from."""
    async with watching(progress, labels={"team": "data"}) as watch:
        await watch.first()
    for fields in ({}, {"labels": {"team": "web"}}, {"labels": {"team": "data"}, "batch_id_prefix": "b"}):
        async with watching(progress, resume_token=watch.token, **fields) as other:
            answer = await other.refusal()
            assert answer.fields == ("resume_token",)


async def test_deleted_batch_is_sent_with_its_id_alone_unless_its_end_was_sent(progress: Served) -> None:
    """A watcher never keeps a batch that no longer exists."""
    await create(progress, "b")
    async with watching(progress) as watch:
        await watch.first()
        await cancel(progress, "b")
        await progress.stub.DeleteBatch(pb.DeleteBatchRequest(batch_id="b"))
        last = await watch.batch()
        assert last == pb.Batch(batch_id="b") or last.state == pb.BATCH_STATE_CANCELLED
        await create(progress, "b")
        assert (await watch.batch()).revision == 1


async def test_quiet_watch_of_many_has_initial_metadata(progress: Served) -> None:
    """Before any state."""
    async with watching(progress, heartbeat_interval=duration_pb2.Duration(seconds=2)) as watch:
        async with asyncio.timeout(SECONDS_MAX):
            assert dict(tuple(await watch.call.initial_metadata()))[HEARTBEAT_KEY] == "2"


@pytest.mark.more("waits for a heartbeat, which is a second after the first states")
async def test_quiet_watch_of_many_has_heartbeats(progress: Served) -> None:
    """They have no batch and a token."""
    async with watching(progress, heartbeat_interval=duration_pb2.Duration(seconds=1)) as watch:
        await watch.first()
        assert not (await watch.response()).HasField("batch")


async def test_only_newer_states_of_a_batch_have_the_interval(
    progress: Served,
) -> None:
    """New batches and ends have none; the state in between is skipped."""
    await create(progress, "b", 9)
    async with watching(progress, min_interval=duration_pb2.Duration(seconds=60)) as watch:
        await watch.first()
        await progress.report("b", "j1")
        await create(progress, "c")
        assert (await watch.batch()).batch_id == "c"
        await cancel(progress, "b")
        last = await watch.batch()
        assert (last.batch_id, last.state, last.succeeded_jobs) == ("b", pb.BATCH_STATE_CANCELLED, 1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"labels": {"": "x"}}, "labels"),
        ({"batch_id_prefix": "a b"}, "batch_id_prefix"),
        ({"min_interval": duration_pb2.Duration(seconds=61)}, "min_interval"),
        ({"heartbeat_interval": duration_pb2.Duration(seconds=61)}, "heartbeat_interval"),
    ],
)
async def test_invalid_watch_of_many_is_refused(progress: Served, fields: dict[str, Any], field: str) -> None:
    """Each field has its rule."""
    async with watching(progress, **fields) as watch:
        answer = await watch.refusal()
        assert answer.fields == (field,)


async def test_end_that_was_committed_late_is_sent_to_a_resumed_watch(progress: Served) -> None:
    """Its time is before the token: an end of the last minute may be sent twice."""
    await create(progress, "b")
    await cancel(progress, "b")
    async with watching(progress) as watch:
        await watch.first()
    async with watching(progress, resume_token=watch.token) as resumed:
        assert ids(await resumed.first()) == ["b"]
