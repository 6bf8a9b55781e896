"""python -m bench.peers.row_lock: the usual way, a row lock for each report.

The same as Laravel's `lockForUpdate()`, +1, `save()` in a transaction. It counts duplicates twice.
"""

from typing import Any

from sqlalchemy import bindparam, select, update

from batchprogress.v1 import progress_pb2 as pb
from bench.peers.peer_server import recorded, serve
from bench.peers.tables import MysqlPeer, progress

_LOCK = select(progress.c.processed).where(progress.c.batch_id == bindparam("batch")).with_for_update()
_SAVE = (
    update(progress).where(progress.c.batch_id == bindparam("batch")).values(processed=bindparam("number"))
)


class RowLock(MysqlPeer):
    """Locks the row of a batch, adds one, and saves it."""

    async def ReportJobResult(
        self, request: pb.ReportJobResultRequest, _context: Any
    ) -> pb.ReportJobResultResponse:
        async with self.engine.begin() as connection:
            processed = int(await connection.scalar(_LOCK, {"batch": request.batch_id}) or 0) + 1
            await connection.execute(_SAVE, {"batch": request.batch_id, "number": processed})
        return recorded(processed)


if __name__ == "__main__":
    serve(RowLock)
