"""The recommended shape: one node takes all writes, and haproxy sends every connection to it."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import make_url

from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.haproxy import DatabaseProxy, database_proxy
from tests.cluster.bars import planned
from tests.cluster.conftest import Judge, in_full_size, one_node_writes
from tests.cluster.database_cluster import DatabaseCluster, run
from tests.cluster.load import Load, load_on
from tests.cluster.roles import CHECK_ACCOUNT
from tests.faults.conftest import FULL
from tests.support import not_run
from tests.support.eventually import eventually

pytestmark = one_node_writes
SERVERS = 3
WORKERS = (346, 346, 345) if FULL else (30, 30, 30)
SWITCH_OVERS = 3 if FULL else 1
UNDER_LOAD_REPORTS = 1_000 if FULL else 200
AWAY_SECONDS = 20.0 if FULL else 3.0


@pytest.fixture
async def proxy(database_cluster: DatabaseCluster) -> AsyncIterator[DatabaseProxy]:
    """Return haproxy in front of all nodes."""
    writers = await database_cluster.writers()
    await run(writers[0], CHECK_ACCOUNT.replace("USER", "USER IF NOT EXISTS"))
    try:
        with database_proxy(database_cluster.nodes, database_cluster.checked_as) as proxy:
            await eventually(lambda: proxy.writers() == writers)
            yield proxy
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"no haproxy: {error}")


@pytest.fixture
async def load(urls: list[str], order: random.Random, proxy: DatabaseProxy) -> AsyncIterator[Load]:
    """Serve through the proxy."""
    url = make_url(urls[0]).set(port=proxy.port).render_as_string(hide_password=False)
    async with load_on([url] * SERVERS, order) as load:
        yield load


async def test_a_planned_switch_over_refuses_almost_no_report(
    database_cluster: DatabaseCluster, load: Load, judge: Judge
) -> None:
    """The servers' connections to the old writer stay open until haproxy closes them."""

    async def switch_over() -> None:
        for _ in range(SWITCH_OVERS):
            await load.ledger.more_answers(UNDER_LOAD_REPORTS)
            old = await database_cluster.writer()
            new = next(node for node in database_cluster.nodes if node is not old)
            await database_cluster.switch_over(old, new)
            await load.more_answers_of_each()
            await database_cluster.give_back(old)
            await database_cluster.until_whole()
            await load.more_answers_of_each()

    await load.run(WORKERS, switch_over())
    await judge(f"{SWITCH_OVERS} planned switch-overs behind haproxy", load, *planned(load))


@in_full_size
async def test_a_crash_of_the_writer_loses_nothing(
    database_cluster: DatabaseCluster, proxy: DatabaseProxy, load: Load, judge: Judge
) -> None:
    """Another node takes over, and every server goes on at it."""

    async def crash() -> None:
        await load.ledger.more_answers(UNDER_LOAD_REPORTS)
        old = await database_cluster.writer()
        await asyncio.to_thread(old.kill)
        await eventually(partial(database_cluster.goes_on_without, old))
        await eventually(lambda: old not in proxy.writers() and proxy.writers())
        await load.more_answers_of_each()
        await asyncio.sleep(AWAY_SECONDS)
        await database_cluster.start_again(old)
        await database_cluster.until_whole()
        await load.more_answers_of_each()

    await load.run(WORKERS, crash())
    await judge("the writer is killed behind haproxy", load)
