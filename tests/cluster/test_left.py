"""A node that left its cluster serves a state that grows old: its server tells, and its watchers leave."""

import asyncio
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.cluster.conftest import Judge, every_node_writes, in_full_size
from tests.cluster.database_cluster import DatabaseCluster
from tests.cluster.load import HOT, Load, Server
from tests.faults.conftest import FULL
from tests.support.eventually import eventually

pytestmark = [every_node_writes, in_full_size]
WORKERS = (346, 345, 346) if FULL else (20, 20, 20)
UNDER_LOAD_REPORTS = 1_000 if FULL else 200


async def _is_not_serving(server: Server) -> bool:
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)


async def _code_of_watch(server: Server) -> grpc.StatusCode:
    try:
        async for _ in server.stub.WatchBatch(pb.WatchBatchRequest(batch_id=HOT)):
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_the_server_of_a_node_that_left_is_not_ready_and_ends_its_watches(
    database_cluster: DatabaseCluster, load: Load, judge: Judge
) -> None:
    """Its clients go on at another server."""
    node, server = database_cluster.nodes[2], load.servers[2]

    async def expel() -> None:
        await load.ledger.more_answers(UNDER_LOAD_REPORTS)
        watching = asyncio.create_task(_code_of_watch(server))
        await database_cluster.expel(node)
        await eventually(partial(_is_not_serving, server))
        assert await asyncio.wait_for(watching, 60) is grpc.StatusCode.UNAVAILABLE
        await database_cluster.start_again(node)
        await database_cluster.until_whole()
        await load.more_answers_of_each()

    await load.run(WORKERS, expel())
    await judge("a node is expelled", load)
