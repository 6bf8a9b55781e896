"""Replication that no longer protects what was acknowledged, or hides it, is warned of."""

from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import pytest

from batches.errors import DatabaseUnusable
from batches.migrations import migrate
from batches.store import engines
from batches.store.database import Database
from batches.store.node_warnings import Node, NodeWarning, read_node, warnings_of
from database_servers import ENGINES, DatabaseServer, database_server
from database_servers.engines import Engine
from tests.integration.store.accounts import run
from tests.integration.store.steps import wait_until

OPTIONS: dict[Engine, list[str]] = {
    "mysql": [
        "--log-bin=binlog",
        "--plugin-load-add=semisync_source.so;group_replication.so",
        f"--loose-group_replication_group_name={uuid4()}",
        "--loose-group_replication_start_on_boot=OFF",
    ],
    "mariadb": ["--log-bin=binlog"],
}
SEMI_SYNC = {"mysql": "rpl_semi_sync_source", "mariadb": "rpl_semi_sync_master"}


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """Return a server that may replicate; nothing follows it."""
    with database_server(request.param, extra_options=OPTIONS[request.param], own=True) as server:
        yield server


async def warnings_at(server: DatabaseServer) -> set[NodeWarning]:
    """Return the warnings about a server."""
    database = Database(server.url("mysql"), connections_max=1)
    node = await database.read(read_node)
    await database.close()
    assert node is not None
    return set(warnings_of(node))


async def is_warned_of(server: DatabaseServer, warning: NodeWarning) -> bool:
    """Return whether a server is warned of so."""
    return warning in await warnings_at(server)


@pytest.mark.more("starts servers with replication")
async def test_semi_synchronous_replication_that_fell_back_is_warned_of(server: DatabaseServer) -> None:
    """It falls back when no replica confirms a transaction in time."""
    name = SEMI_SYNC[server.engine]
    assert not await is_warned_of(server, NodeWarning.SEMI_SYNC_FELL_BACK)
    await run(server.url("mysql"), f"SET GLOBAL {name}_timeout = 1", f"SET GLOBAL {name}_enabled = ON")
    try:
        await run(server.url("mysql"), "CREATE DATABASE fallen")
        await wait_until(partial(is_warned_of, server, NodeWarning.SEMI_SYNC_FELL_BACK))
    finally:
        await run(server.url("mysql"), f"SET GLOBAL {name}_enabled = OFF")
    assert not await is_warned_of(server, NodeWarning.SEMI_SYNC_FELL_BACK)


@pytest.mark.more("starts servers with replication")
@pytest.mark.parametrize("server", ["mysql"], indirect=True)
async def test_sessions_of_a_group_that_read_out_of_sync_are_warned_of(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our sessions are in sync, unless a proxy resets them or they may not set it."""
    assert not await is_warned_of(server, NodeWarning.READS_OUT_OF_SYNC)
    monkeypatch.setattr(engines, "IN_SYNC", ())
    assert await is_warned_of(server, NodeWarning.READS_OUT_OF_SYNC)


@pytest.mark.more("starts servers with replication")
async def test_an_upgrade_refuses_a_binary_log_of_statements(server: DatabaseServer) -> None:
    """Also on MariaDB, which has no binary log by default."""
    await run(server.url("mysql"), "CREATE DATABASE stated", "SET GLOBAL binlog_format = STATEMENT")
    database = Database(server.url("stated"), connections_max=1)
    try:
        with pytest.raises(DatabaseUnusable, match=r"binlog_format = STATEMENT .* \(1665: "):
            await migrate.upgrade(database)
    finally:
        await database.close()
        await run(server.url("mysql"), "SET GLOBAL binlog_format = ROW")


@pytest.mark.parametrize(
    ("variables", "is_warned"),
    [
        ({"wsrep_on": "ON", "wsrep_sync_wait": "0"}, True),
        ({"wsrep_on": "ON", "wsrep_sync_wait": "6"}, True),  # before other statements than reads
        ({"wsrep_on": "ON", "wsrep_sync_wait": "7"}, False),
        ({"wsrep_on": "OFF", "wsrep_sync_wait": "0"}, False),
        ({"group_replication_group_name": "", "group_replication_consistency": "EVENTUAL"}, False),
        ({"group_replication_group_name": "g", "group_replication_consistency": "EVENTUAL"}, True),
    ],
)
def test_only_clusters_can_read_out_of_sync(variables: dict[str, str], *, is_warned: bool) -> None:
    warnings = warnings_of(Node(variables, {}, ()))
    assert set(warnings) == ({NodeWarning.READS_OUT_OF_SYNC} if is_warned else set())
