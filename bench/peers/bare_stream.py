"""python -m bench.peers.bare_stream JOBS: stream prepared bytes to every watcher.

The bytes are those of our answer, made once for all watchers. They are sent after results came in, at most
as often as our server sends them; a slow watcher skips messages, as with ours. Results are counted in
memory only. The streams end after JOBS results.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.v1 import progress_pb2 as pb
from bench.load.reporters import SERVICE
from bench.peers.peer_server import Peer, all_recorded, serve
from services.progress.change_feed import PAUSE_SECONDS


class BareStream(Peer):
    """A server with one batch, which has any id.

    Args:
        total_jobs: The number of results after which streams end.

    """

    def __init__(self, total_jobs: str) -> None:
        self._total_jobs = int(total_jobs)
        self._count = 0
        self._came = asyncio.Event()
        self._next = asyncio.Event()
        """Wakes the watchers that wait for the next bytes; replaced by a new event each time."""
        self._take_count()

    async def open(self) -> None:
        """Start to send."""
        self._ticking = asyncio.create_task(self._tick())

    def register(self, server: grpc.aio.Server) -> None:
        """Register the methods by hand, since the stream has no serializer."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "CreateBatch": grpc.unary_unary_rpc_method_handler(
                self.CreateBatch,
                pb.CreateBatchRequest.FromString,
                pb.CreateBatchResponse.SerializeToString,
            ),
            "ReportJobResults": grpc.unary_unary_rpc_method_handler(
                self.ReportJobResults,
                pb.ReportJobResultsRequest.FromString,
                pb.ReportJobResultsResponse.SerializeToString,
            ),
            "WatchBatch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def CreateBatch(self, _request: pb.CreateBatchRequest, _context: Any) -> pb.CreateBatchResponse:
        return pb.CreateBatchResponse()

    async def ReportJobResults(
        self, request: pb.ReportJobResultsRequest, _context: Any
    ) -> pb.ReportJobResultsResponse:
        self._count += len(request.results)
        self._came.set()
        return all_recorded([self._count] * len(request.results))

    async def _watch(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        while True:
            following, payload, is_last = self._next, self._payload, self._is_last
            yield payload
            if is_last:
                return
            await following.wait()

    async def _tick(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            self._take_count()
            reached, self._next = self._next, asyncio.Event()
            reached.set()
            await asyncio.sleep(PAUSE_SECONDS)

    def _take_count(self) -> None:
        """Make the bytes with the current count."""
        pending = self._total_jobs - self._count
        self._is_last = not pending
        now = Timestamp()
        now.GetCurrentTime()
        batch = pb.Batch(
            batch_id="bench-1",
            state=pb.BATCH_STATE_PROCESSING if pending else pb.BATCH_STATE_COMPLETED,
            sealed=True,
            total_jobs=self._total_jobs,
            succeeded_jobs=self._count,
            pending_jobs=pending,
            percent_complete=self._count * 100 // self._total_jobs,
            revision=1 + self._count,
            create_time=now,
            last_result_time=now,
            complete_time=None if pending else now,
            jobs_per_second=1.5,
            estimated_complete_time=now if pending else None,
        )
        self._payload = pb.WatchBatchResponse(batch=batch).SerializeToString()


if __name__ == "__main__":
    serve(BareStream)
