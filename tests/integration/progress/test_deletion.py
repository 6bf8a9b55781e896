"""DeleteBatch: what callers, workers and watchers of the batch are answered."""

import asyncio

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.progress import change_feed
from tests.support.answers import answered
from tests.support.progress import Served, served

SECONDS_MAX = 20


async def delete(server: Served, batch_id: str = "b") -> None:
    """Delete a batch."""
    await server.stub.DeleteBatch(pb.DeleteBatchRequest(batch_id=batch_id))


async def test_deleted_batch_is_unknown_to_its_workers(progress: Served) -> None:
    """One that has not ended is refused, and keeps what it has."""
    await progress.create("b", 2)
    await progress.report("b", "1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delete(progress)
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BATCH_PROCESSING")
    await progress.report("b", "2")
    for _ in range(2):
        await delete(progress)
    for call in (progress.get("b"), progress.report("b", "1"), progress.report("b", "3")):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert answered(caught.value).reason == "BATCH_NOT_FOUND"
    assert not (await progress.stub.ListBatches(pb.ListBatchesRequest())).batches
    assert (await progress.create("b", 5)).pending_jobs == 5


async def test_watch_of_a_deleted_batch_ends_with_not_found(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the watcher has not received the end of the batch when it is deleted."""
    monkeypatch.setattr(change_feed, "TICK_SECONDS", 3_600.0)
    async with asyncio.timeout(SECONDS_MAX), served(sqlite_url) as server, served(sqlite_url) as other:
        await server.create("b", 1)
        watch = server.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
        assert isinstance(await watch.read(), pb.WatchBatchResponse)
        await other.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
        await delete(server)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    assert answered(caught.value).reason == "BATCH_NOT_FOUND"


async def test_id_to_delete_is_checked(progress: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delete(progress, "a b")
    assert answered(caught.value).fields == ("batch_id",)
