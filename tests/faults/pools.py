"""The connections of servers, as the database sees them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from batches.settings import DatabaseSettings
from batches.store import schema
from batchprogress.v1 import progress_pb2 as pb
from services.progress.wiring import HEALTH_CONNECTIONS_MAX, RECORDING_CONNECTIONS_MAX
from tests.faults.channels import open_channels
from tests.faults.conftest import Target
from tests.support.progress import Stub, stub_of

READING_CONNECTIONS: int = DatabaseSettings.model_fields["database_connections"].default
CONNECTIONS_MAX = READING_CONNECTIONS + RECORDING_CONNECTIONS_MAX + HEALTH_CONNECTIONS_MAX
"""The connections that an idle server may have."""
CALLERS = 2
"""One caller may have half of the connections; without tokens, each connection is a caller."""
READ_CONDITION = f"{schema.batches.name}.batch_id = "
"""Part of the statement of GetBatch, but not of those that record results."""
LOOK_SECONDS = 0.05
SETTLE_SECONDS_MAX = 9.0
"""Less than the ten seconds after which pool and driver give up on a waiting read."""
READ_SECONDS_MAX = 15.0
"""The deadline of reads that wait for the lock, longer than the lock is held."""


async def assert_pool_whole(port: int, batch_id: str, target: Target) -> None:
    """Check that no connection of the pool of a server is lost.

    As many reads as the pool has connections wait for one lock in the database. If a connection were lost,
    one read would wait in the pool instead, invisible to the database.
    """
    request = pb.GetBatchRequest(batch_id=batch_id)
    async with root(target) as connection, open_channels([port], CALLERS) as channels:
        stubs = [stub_of(channels[number % CALLERS]) for number in range(READING_CONNECTIONS)]
        await connection.execute(text(f"LOCK TABLES {schema.batches.name} WRITE"))
        reads = [asyncio.ensure_future(_read(stub, request)) for stub in stubs]
        try:
            await _until(lambda: _are_waiting(connection, READING_CONNECTIONS))
        finally:
            await connection.execute(text("UNLOCK TABLES"))
            await asyncio.gather(*reads)


async def assert_threads_at_rest(target: Target, servers: int) -> None:
    """Wait until the database has no connections except those of the pools, and two of tests."""
    async with root(target) as connection:
        await _until(lambda: _has_at_most(connection, servers * CONNECTIONS_MAX + 2))


@asynccontextmanager
async def root(target: Target) -> AsyncIterator[AsyncConnection]:
    """Open a connection outside of the pools."""
    engine = create_async_engine(target.url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _read(stub: Stub, request: pb.GetBatchRequest) -> None:
    await stub.GetBatch(request, timeout=READ_SECONDS_MAX)


async def _are_waiting(connection: AsyncConnection, reads: int) -> bool:
    """Count only reads of a batch, since results that are being recorded wait for the same lock."""
    rows = (await connection.execute(text("SHOW FULL PROCESSLIST"))).mappings()
    waiting = [row["Info"] or "" for row in rows if "metadata lock" in (row["State"] or "")]
    return sum(READ_CONDITION in statement for statement in waiting) == reads


async def _has_at_most(connection: AsyncConnection, number: int) -> bool:
    row = (await connection.execute(text("SHOW GLOBAL STATUS LIKE 'Threads_connected'"))).one()
    return int(row[1]) <= number


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while not await holds():  # noqa: ASYNC110  # the database sends no notification
            await asyncio.sleep(LOOK_SECONDS)
