"""A server's connections to the database, as the database sees them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from batches.settings import DatabaseSettings
from batches.store import schema
from batchprogress.v1 import progress_pb2 as pb
from services.progress.wiring import RECORDING_CONNECTIONS_MAX
from tests.faults.conftest import Target
from tests.support.progress import Stub

READING_CONNECTIONS: int = DatabaseSettings.model_fields["database_connections"].default
CONNECTIONS_MAX = READING_CONNECTIONS + RECORDING_CONNECTIONS_MAX
"""What one server may hold at rest."""
READ_CONDITION = f"{schema.batches.name}.batch_id = "
"""In the statement of GetBatch, and of nothing that records results."""
LOOK_SECONDS = 0.05
SETTLE_SECONDS_MAX = 9.0
"""Below the ten seconds after which the pool itself, or the driver, gives a waiting read up."""
READ_SECONDS_MAX = 15.0
"""The deadline of the reads that wait at the lock: above the time the lock is held."""


async def assert_pool_whole(stub: Stub, batch_id: str, target: Target) -> None:
    """Let as many reads as the pool has connections wait at one lock: each must have got a connection.

    A connection that is checked out for good, or lost, would leave one of them waiting before the pool,
    where the database does not see it.
    """
    request = pb.GetBatchRequest(batch_id=batch_id)
    async with root(target) as connection:
        await connection.execute(text(f"LOCK TABLES {schema.batches.name} WRITE"))
        reads = [asyncio.ensure_future(_read(stub, request)) for _ in range(READING_CONNECTIONS)]
        try:
            await _until(lambda: _are_waiting(connection, READING_CONNECTIONS))
        finally:
            await connection.execute(text("UNLOCK TABLES"))
            await asyncio.gather(*reads)


async def assert_threads_at_rest(target: Target, servers: int) -> None:
    """Wait until the database has no more connections than the servers' pools, two of tests beside them."""
    async with root(target) as connection:
        await _until(lambda: _has_at_most(connection, servers * CONNECTIONS_MAX + 2))


@asynccontextmanager
async def root(target: Target) -> AsyncIterator[AsyncConnection]:
    """Open a connection beside the pools."""
    engine = create_async_engine(target.url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _read(stub: Stub, request: pb.GetBatchRequest) -> None:
    await stub.GetBatch(request, timeout=READ_SECONDS_MAX)


async def _are_waiting(connection: AsyncConnection, reads: int) -> bool:
    """Count reads of one batch only: results that are still being recorded wait at the same lock."""
    rows = (await connection.execute(text("SHOW FULL PROCESSLIST"))).mappings()
    waiting = [row["Info"] or "" for row in rows if "metadata lock" in (row["State"] or "")]
    return sum(READ_CONDITION in statement for statement in waiting) == reads


async def _has_at_most(connection: AsyncConnection, number: int) -> bool:
    row = (await connection.execute(text("SHOW GLOBAL STATUS LIKE 'Threads_connected'"))).one()
    return int(row[1]) <= number


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while not await holds():  # noqa: ASYNC110  # the database tells nobody
            await asyncio.sleep(LOOK_SECONDS)
