"""deploy/haproxy/database.cfg: every connection goes to the one node that takes writes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from database_servers import database_server
from database_servers.haproxy import DatabaseProxy, database_proxy
from tests.cluster.database_cluster import administrator, run
from tests.cluster.roles import CHECK_ACCOUNT, make_reader, make_writer
from tests.support.eventually import eventually
from tests.support.storage.engines import EngineName

SUITES: dict[EngineName, str | None] = {"mysql": None, "mariadb": "bookworm"}
"""The newest haproxy and the oldest one that the file names, each with one engine."""


@pytest.fixture(scope="module", params=SUITES)
def database_engine(request: pytest.FixtureRequest) -> EngineName:
    """Return each engine in turn."""
    engine: EngineName = request.param
    return engine


@pytest.fixture(scope="module")
def proxy(database_engine: EngineName) -> Iterator[DatabaseProxy]:
    """Return haproxy in front of two nodes."""
    assert database_engine != "sqlite"
    with ExitStack() as stack:
        nodes = [stack.enter_context(database_server(database_engine, own=True)) for _ in range(2)]
        for node in nodes:
            asyncio.run(run(node, CHECK_ACCOUNT))
        yield stack.enter_context(database_proxy(nodes, suite=SUITES[database_engine]))


@pytest.fixture
async def engine(proxy: DatabaseProxy) -> AsyncIterator[AsyncEngine]:
    """Return connections through haproxy; the first node takes writes."""
    await _appoint(proxy, 0)
    url = make_url(proxy.nodes[0].url()).set(port=proxy.port)
    engine = create_async_engine(url, poolclass=NullPool)
    yield engine
    await engine.dispose()


async def _appoint(proxy: DatabaseProxy, number: int) -> None:
    """Let one node take writes, and wait until haproxy knows."""
    for place, node in enumerate(proxy.nodes):
        await (make_writer if place == number else make_reader)(node)
    await eventually(lambda: proxy.writers() == [proxy.nodes[number]])


async def _node_behind(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text("SELECT @@port")) or 0)


async def test_connections_go_to_the_node_that_takes_writes(
    engine: AsyncEngine, proxy: DatabaseProxy
) -> None:
    for number, node in enumerate(proxy.nodes):
        await _appoint(proxy, number)
        assert await _node_behind(engine) == node.port


async def test_connections_to_a_node_that_becomes_a_reader_are_closed(
    engine: AsyncEngine, proxy: DatabaseProxy
) -> None:
    """Every write would fail on them."""
    async with engine.connect() as connection:
        await connection.scalar(text("SELECT 1"))
        await _appoint(proxy, 1)
        with pytest.raises(DBAPIError, match=r"2013|2006"):
            await connection.scalar(text("SELECT 1"))


async def test_no_connection_while_two_nodes_take_writes(engine: AsyncEngine, proxy: DatabaseProxy) -> None:
    """One of them would lose its writes."""
    await make_writer(proxy.nodes[1])
    await eventually(lambda: proxy.writers() == proxy.nodes)
    with pytest.raises(DBAPIError, match=r"2013|2003"):
        await _node_behind(engine)
    await _appoint(proxy, 1)
    assert await _node_behind(engine) == proxy.nodes[1].port


@pytest.mark.usefixtures("engine")
async def test_the_check_ends_its_sessions(proxy: DatabaseProxy) -> None:
    """The node would write a line into its log for each."""
    async with administrator(proxy.nodes[0]) as connection:

        async def status(name: str) -> int:
            row = (await connection.execute(text("SHOW GLOBAL STATUS LIKE :name"), {"name": name})).one()
            return int(row[1])

        aborted, connections = await status("Aborted_clients"), await status("Connections")

        async def three_checks_later() -> bool:
            return await status("Connections") >= connections + 3

        await eventually(three_checks_later)
        assert await status("Aborted_clients") == aborted
