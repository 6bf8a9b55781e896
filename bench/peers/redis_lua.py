"""python -m bench.peers.redis_lua: a set of jobs and a counter, changed together by a script in Redis.

It counts a job once, as ours does; what Redis has not written to disk is lost with it.
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
SCRIPT = f"""
local added = redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[2], '{FIELD}', added)
"""


class RedisLua(Peer):
    """A batch is a set and a hash."""

    def __init__(self, store_url: str) -> None:
        """Take the URL of Redis."""
        self.redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                store_url, max_connections=CONNECTIONS, timeout=POOL_SECONDS_MAX
            )
        )
        self.digest = ""

    async def open(self) -> None:
        """Load the script once; calls name it by its digest."""
        self.digest = await self.redis.script_load(SCRIPT)

    async def CreateBatch(self, _request: pb.CreateBatchRequest, _context: Any) -> pb.CreateBatchResponse:
        return pb.CreateBatchResponse()

    async def GetBatch(self, request: pb.GetBatchRequest, _context: Any) -> pb.GetBatchResponse:
        return counted(request.batch_id, int(await self.redis.hget(request.batch_id, FIELD) or 0))

    async def ReportJobResult(
        self, request: pb.ReportJobResultRequest, _context: Any
    ) -> pb.ReportJobResultResponse:
        batch_id = request.batch_id
        return recorded(
            await self.redis.evalsha(self.digest, 2, f"jobs:{batch_id}", batch_id, request.job_id)
        )

    async def ReportJobResults(
        self, request: pb.ReportJobResultsRequest, _context: Any
    ) -> pb.ReportJobResultsResponse:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for result in request.results:
                pipeline.evalsha(self.digest, 2, f"jobs:{result.batch_id}", result.batch_id, result.job_id)
            return all_recorded(await pipeline.execute())


if __name__ == "__main__":
    serve(RedisLua)
