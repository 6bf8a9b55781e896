"""Following a batch that is silent, beside a server whose answers the test decides."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from batchprogress._grpc.connection import Connection
from batchprogress.cli import following
from batchprogress.cli.cli_errors import ExitCode
from batchprogress.cli.client import AsyncCommandClient
from batchprogress.cli.following import follow
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb

SERVICE = "batchprogress.v1.ProgressService"
SECONDS_MAX = 60.0


def state(
    revision: int, number: pb.BatchState.ValueType = pb.BATCH_STATE_PROCESSING, stall: str = ""
) -> pb.Batch:
    """Return a state of the batch."""
    return pb.Batch(batch_id="b", revision=revision, state=number, stall_reason=stall)


class SlowStream:
    """Serves a stream that lags behind GetBatch."""

    def __init__(self) -> None:
        self._read = asyncio.Event()

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
            request_deserializer=pb.WatchBatchRequest.FromString,
            response_serializer=pb.WatchBatchResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"GetBatch": get, "WatchBatch": watch})

    async def _get(self, _request: pb.GetBatchRequest, _context: Any) -> pb.GetBatchResponse:
        self._read.set()
        return pb.GetBatchResponse(batch=state(2, stall="no result for 1 min"))

    async def _watch(
        self, _request: pb.WatchBatchRequest, _context: Any
    ) -> AsyncIterator[pb.WatchBatchResponse]:
        yield pb.WatchBatchResponse(batch=state(1))
        await self._read.wait()
        yield pb.WatchBatchResponse(batch=state(2, stall="no result for 1 min"))
        yield pb.WatchBatchResponse(batch=state(3, pb.BATCH_STATE_COMPLETED))


class Recorder:
    """A view that keeps the revisions it was given."""

    def __init__(self) -> None:
        self.changed_revisions: list[int] = []

    def changed(self, batch: Batch) -> None:
        """Keep the revision."""
        self.changed_revisions.append(batch.revision)

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Keep nothing."""

    def missing(self, batch_id: str, sentence: str) -> None:
        """Fail: the batch exists."""
        raise AssertionError(f"{batch_id}: {sentence}")


async def test_a_state_that_the_stream_is_about_to_bring_is_shown_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch is read because it is silent; a newer revision in the answer is left to the stream."""
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.1)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((SlowStream().service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    view = Recorder()
    try:
        async with asyncio.timeout(SECONDS_MAX):
            client = AsyncCommandClient(Connection(f"127.0.0.1:{port}"), None)
            assert await follow(client, ["b"], view) == [ExitCode.COMPLETED]
    finally:
        await server.stop(None)
    assert view.changed_revisions == [1, 2, 3]
