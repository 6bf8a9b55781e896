"""The table and the connection pool of the peers on MySQL: one row for each batch."""

from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from batchprogress.v1 import progress_pb2 as pb
from bench.peers.peer_server import CONNECTIONS, POOL_SECONDS_MAX, Peer, counted

progress = Table(
    "progress",
    MetaData(),
    Column("batch_id", String(128), primary_key=True),
    Column("processed", BigInteger, nullable=False),
)


class MysqlPeer(Peer):
    """Keeps each batch as a row with a number."""

    def __init__(self, store_url: str) -> None:
        self.engine = create_async_engine(
            store_url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=POOL_SECONDS_MAX
        )

    async def open(self) -> None:
        """Create the table."""
        async with self.engine.begin() as connection:
            await connection.run_sync(progress.create, checkfirst=True)

    async def CreateBatch(self, request: pb.CreateBatchRequest, _context: Any) -> pb.CreateBatchResponse:
        async with self.engine.begin() as connection:
            await connection.execute(insert(progress), {"batch_id": request.batch_id, "processed": 0})
        return pb.CreateBatchResponse()

    async def GetBatch(self, request: pb.GetBatchRequest, _context: Any) -> pb.GetBatchResponse:
        async with self.engine.connect() as connection:
            query = select(progress.c.processed).where(progress.c.batch_id == request.batch_id)
            return counted(request.batch_id, int(await connection.scalar(query) or 0))
