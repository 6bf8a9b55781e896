"""python -m bench.peers.atomic_update: a transaction with UPDATE … SET n = n + 1 for each report.

One statement replaces lock, read and write. It still waits for the row, and counts duplicates twice. The
reports of one call share a transaction.
"""

from typing import Any

from sqlalchemy import bindparam, update

from batchprogress.v1 import progress_pb2 as pb
from bench.peers.peer_server import all_recorded, recorded, serve
from bench.peers.tables import MysqlPeer, progress

_ADD_ONE = (
    update(progress)
    .where(progress.c.batch_id == bindparam("batch"))
    .values(processed=progress.c.processed + 1)
)


class AtomicUpdate(MysqlPeer):
    """Adds one to a number in the database."""

    async def ReportJobResult(
        self, request: pb.ReportJobResultRequest, _context: Any
    ) -> pb.ReportJobResultResponse:
        async with self.engine.begin() as connection:
            await connection.execute(_ADD_ONE, {"batch": request.batch_id})
        return recorded(1)

    async def ReportJobResults(
        self, request: pb.ReportJobResultsRequest, _context: Any
    ) -> pb.ReportJobResultsResponse:
        async with self.engine.begin() as connection:
            for result in request.results:
                await connection.execute(_ADD_ONE, {"batch": result.batch_id})
        return all_recorded([1] * len(request.results))


if __name__ == "__main__":
    serve(AtomicUpdate)
