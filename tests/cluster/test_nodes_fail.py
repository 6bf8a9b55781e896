"""A node fails while each has a server of its own: nothing is lost, and every server goes on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from database_servers import DatabaseServer
from tests.cluster.conftest import Judge, every_node_writes, in_full_size
from tests.cluster.database_cluster import DatabaseCluster
from tests.cluster.load import Load
from tests.faults.conftest import FULL

pytestmark = every_node_writes
WORKERS = (346, 346, 345) if FULL else (40, 40, 40)
AWAY_SECONDS = 20.0 if FULL else 3.0
"""Longer than the time after which a node is suspected."""
UNDER_LOAD_REPORTS = 1_000 if FULL else 200


async def kill(cluster: DatabaseCluster, node: DatabaseServer) -> None:
    """Kill a node, and start it again."""
    await asyncio.to_thread(node.kill)
    await asyncio.sleep(AWAY_SECONDS)
    await cluster.start_again(node)


async def freeze(_: DatabaseCluster, node: DatabaseServer) -> None:
    """Freeze a node for a while."""
    await asyncio.to_thread(node.pause)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(node.resume)


async def restart_each(cluster: DatabaseCluster, _: DatabaseServer) -> None:
    """Restart each node in turn."""
    for node in cluster.nodes:
        await asyncio.to_thread(node.shut_down)
        await cluster.start_again(node)
        await cluster.until_whole()


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [
        pytest.param("a node is killed, and away for {seconds:g} s", kill, id="killed"),
        pytest.param("a node is frozen for {seconds:g} s", freeze, id="frozen", marks=in_full_size),
        pytest.param("rolling restart of the nodes", restart_each, id="restarted", marks=in_full_size),
    ],
)
async def test_a_node_that_fails_loses_nothing(
    database_cluster: DatabaseCluster,
    load: Load,
    judge: Judge,
    scenario: str,
    fault: Callable[[DatabaseCluster, DatabaseServer], Awaitable[None]],
) -> None:
    """Each server acknowledges again soon after the cluster is whole."""

    async def happen() -> None:
        await load.ledger.more_answers(UNDER_LOAD_REPORTS)
        await fault(database_cluster, database_cluster.nodes[1])
        await database_cluster.until_whole()
        await load.more_answers_of_each()

    await load.run(WORKERS, happen())
    await judge(scenario.format(seconds=AWAY_SECONDS), load)
