"""Following many batches, beside a server whose answers the test decides."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from batchprogress._grpc.connection import Connection
from batchprogress.cli import following
from batchprogress.cli.client import AsyncCommandClient
from batchprogress.cli.following_selection import Selection, follow_selection
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb

SERVICE = "batchprogress.v1.ProgressService"
SECONDS_MAX = 20.0
STALL = "no result for 1 min"


def state(batch_id: str, revision: int, stall: str = "") -> pb.Batch:
    """Return a state of a batch that is processing."""
    return pb.Batch(batch_id=batch_id, revision=revision, state=pb.BATCH_STATE_PROCESSING, stall_reason=stall)


class Quiet:
    """Serves a stream of two quiet batches, of which one is deleted once the other's stall is shown."""

    def __init__(self) -> None:
        self.stalled = asyncio.Event()

    @property
    def service(self) -> grpc.GenericRpcHandler:
        """The methods to serve."""
        get = grpc.unary_unary_rpc_method_handler(
            self._get,
            request_deserializer=pb.GetBatchRequest.FromString,
            response_serializer=pb.GetBatchResponse.SerializeToString,
        )
        watch = grpc.unary_stream_rpc_method_handler(
            self._watch,
            request_deserializer=pb.WatchBatchesRequest.FromString,
            response_serializer=pb.WatchBatchesResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"GetBatch": get, "WatchBatches": watch})

    async def _get(self, request: pb.GetBatchRequest, _context: Any) -> pb.GetBatchResponse:
        return pb.GetBatchResponse(
            batch=state(request.batch_id, 1, STALL if request.batch_id == "stalled" else "")
        )

    async def _watch(
        self, request: pb.WatchBatchesRequest, _context: Any
    ) -> AsyncIterator[pb.WatchBatchesResponse]:
        assert (dict(request.labels), request.batch_id_prefix) == ({"team": "data"}, "s")
        for batch_id in ("stalled", "slow"):
            yield pb.WatchBatchesResponse(batch=state(batch_id, 1), resume_token="t")
        yield pb.WatchBatchesResponse(resume_token="t")
        await self.stalled.wait()
        yield pb.WatchBatchesResponse(batch=pb.Batch(batch_id="slow"), resume_token="t")
        await asyncio.Event().wait()


class Recorder:
    """A view that keeps what it was given."""

    def __init__(self, stalled: asyncio.Event) -> None:
        self.changes: list[tuple[str, str]] = []
        self.deleted = asyncio.Event()
        self._stalled = stalled

    def changed(self, batch: Batch) -> None:
        """Keep the stall."""
        self.changes.append((batch.batch_id, batch.stall_reason))
        if batch.stall_reason:
            self._stalled.set()

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Keep nothing."""

    def missing(self, batch_id: str, sentence: str) -> None:
        """Keep that the batch is gone."""
        assert (batch_id, sentence) == ("slow", "batch slow was deleted")
        self.deleted.set()


async def test_a_stall_and_a_deletion_are_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream brings no message about a stall, so that a silent batch is read."""
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.1)
    quiet = Quiet()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((quiet.service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    view = Recorder(quiet.stalled)
    client = AsyncCommandClient(Connection(f"127.0.0.1:{port}"), None)
    watch = asyncio.create_task(follow_selection(client, Selection({"team": "data"}, "s"), view))
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await view.deleted.wait()
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await server.stop(None)
    assert view.changes == [("stalled", ""), ("slow", ""), ("stalled", STALL)]
