"""A node is cut off from the others, but not from its server: nothing is lost, and every server goes on."""

import asyncio

from tests.cluster.conftest import Judge, in_full_size, nodes_are_cut_off
from tests.cluster.database_cluster import DatabaseCluster
from tests.cluster.load import Load

pytestmark = [nodes_are_cut_off, in_full_size]
WORKERS = (346, 346, 345)
AWAY_SECONDS = 20.0
"""Longer than the time after which a node is suspected."""
UNDER_LOAD_REPORTS = 1_000


async def test_a_node_that_is_cut_off_loses_nothing(
    database_cluster: DatabaseCluster, load: Load, judge: Judge
) -> None:
    """It takes no writes meanwhile, since it is alone, and joins the others again by itself."""

    async def partition() -> None:
        await load.ledger.more_answers(UNDER_LOAD_REPORTS)
        async with database_cluster.cut_off(database_cluster.nodes[1]):
            await asyncio.sleep(AWAY_SECONDS)
        await database_cluster.until_whole()
        await load.more_answers_of_each()

    await load.run(WORKERS, partition())
    await judge(f"a node is cut off for {AWAY_SECONDS:g} s", load)
