"""python -m bench.peers.redis_hincrby: HINCRBY for each report, in a pipeline for those of one call.

Fast and easy. It counts duplicates twice, and loses what Redis has not written to disk.
"""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis

from batchprogress.v1 import progress_pb2 as pb
from bench.peers.peer_server import (
    CONNECTIONS,
    POOL_SECONDS_MAX,
    Peer,
    all_recorded,
    counted,
    recorded,
    serve,
)

FIELD = "processed"


class RedisHincrby(Peer):
    """Keeps each batch as a hash in Redis."""

    def __init__(self, store_url: str) -> None:
        self.redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                store_url, max_connections=CONNECTIONS, timeout=POOL_SECONDS_MAX
            )
        )

    async def CreateBatch(self, _request: pb.CreateBatchRequest, _context: Any) -> pb.CreateBatchResponse:
        return pb.CreateBatchResponse()

    async def GetBatch(self, request: pb.GetBatchRequest, _context: Any) -> pb.GetBatchResponse:
        return counted(request.batch_id, int(await self.redis.hget(request.batch_id, FIELD) or 0))

    async def ReportJobResult(
        self, request: pb.ReportJobResultRequest, _context: Any
    ) -> pb.ReportJobResultResponse:
        return recorded(await self.redis.hincrby(request.batch_id, FIELD, 1))

    async def ReportJobResults(
        self, request: pb.ReportJobResultsRequest, _context: Any
    ) -> pb.ReportJobResultsResponse:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for result in request.results:
                pipeline.hincrby(result.batch_id, FIELD, 1)
            return all_recorded(await pipeline.execute())


if __name__ == "__main__":
    serve(RedisHincrby)
