"""What makes a server not ready."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import text

from batches.settings import DatabaseSettings
from batches.store import schema
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from database_servers.given import GivenServer
from rpc.serving.health import CHECK_PERIOD_SECONDS, CHECK_SECONDS_MAX
from tests.support.eventually import eventually
from tests.support.progress import Served
from tests.support.storage import Databases

READS = 2 * int(DatabaseSettings.model_fields["database_connections"].default)
"""Twice as many as there are connections for reads."""
NOTICED_SECONDS = 2 * (CHECK_PERIOD_SECONDS + CHECK_SECONDS_MAX)
"""Within this time, every check that fails has made the server not ready."""


@pytest.mark.more("waits as long as two checks of health may take")
@pytest.mark.parametrize("database_engine", ["mysql"], indirect=True)
async def test_slow_reads_do_not_make_a_server_not_ready(progress: Served, database_url: str) -> None:
    """Every connection for reads waits for a lock in the database; results are still recorded."""
    await progress.create("b", 1)
    locking = Database(database_url, connections_max=1)
    async with locking.engine.connect() as connection:
        await connection.execute(text(f"LOCK TABLES {schema.repairs.name} WRITE"))
        reads = [asyncio.ensure_future(_list_repairs(progress)) for _ in range(READS)]
        try:
            assert not await _becomes_not_ready(progress.channel, NOTICED_SECONDS)
            assert not any(read.done() for read in reads)
            await progress.report("b", "a")
        finally:
            await connection.execute(text("UNLOCK TABLES"))
            await asyncio.gather(*reads, return_exceptions=True)
    await locking.close()
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


@pytest.mark.more("waits for a check of health")
@pytest.mark.parametrize("database_engine", ["mariadb", "mysql"], indirect=True)
async def test_a_server_of_a_read_only_node_is_not_ready(
    progress: Served, databases: Databases, database_url: str
) -> None:
    """A primary that was demoted answers reads; only reports would find out."""
    if isinstance(databases.server, GivenServer):
        pytest.skip("This server is not ours to change.")
    await eventually(lambda: _is_ready(progress.channel))
    administrator = Database(database_url, connections_max=1)
    async with administrator.engine.connect() as connection:
        await connection.execute(text("SET GLOBAL read_only = ON"))
        try:
            await eventually(lambda: _is_not_ready(progress.channel))
        finally:
            await connection.execute(text("SET GLOBAL read_only = OFF"))
    await administrator.close()
    await eventually(lambda: _is_ready(progress.channel))


async def _is_ready(channel: grpc.aio.Channel) -> bool:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    response = await stub.Check(health_pb2.HealthCheckRequest())
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


async def _is_not_ready(channel: grpc.aio.Channel) -> bool:
    return not await _is_ready(channel)


async def _list_repairs(progress: Served) -> None:
    await progress.stub.ListRepairs(pb.ListRepairsRequest(batch_id="b"))


async def _becomes_not_ready(channel: grpc.aio.Channel, seconds: float) -> bool:
    """Return whether a server that is ready becomes not ready within this time."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    was_ready = False
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for response in stub.Watch(health_pb2.HealthCheckRequest()):
                is_ready = response.status == health_pb2.HealthCheckResponse.SERVING
                if was_ready and not is_ready:
                    return True
                was_ready = was_ready or is_ready
    assert was_ready
    return False
