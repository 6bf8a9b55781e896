"""python -m bench.peers.redis_lua: a set of jobs and a counter, changed together by a script in Redis.

It counts each job once, as our server does, and loses what Redis has not written to disk.
"""

from typing import Any

from batchprogress.v1 import progress_pb2 as pb
from bench.peers.peer_server import all_recorded, recorded, serve
from bench.peers.redis_hincrby import FIELD, RedisHincrby

SCRIPT = f"""
local added = redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[2], '{FIELD}', added)
"""


class RedisLua(RedisHincrby):
    """Keeps each batch as a set and a hash in Redis."""

    def __init__(self, store_url: str) -> None:
        super().__init__(store_url)
        self.digest = ""

    async def open(self) -> None:
        """Load the script; calls refer to it by its digest."""
        self.digest = await self.redis.script_load(SCRIPT)

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
