"""A server is ready while its database node takes writes, and its reads are in sync with the cluster."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url, text

from batches.errors import NodeNotWritable
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.writability import require_writable
from database_servers import DatabaseServer
from tests.integration.store.steps import connections_in_use, execute, on_servers, scalar

ACCOUNT = "application"
"""An account with all rights on its database and none on the server, as an application should have."""


@pytest.fixture
async def application(database: Database, database_url: str) -> AsyncIterator[Database]:
    """Return the database as an application uses it."""
    url = make_url(database_url)
    await execute(database, f"CREATE USER {ACCOUNT}@'127.0.0.1'")
    await execute(database, f"GRANT ALL ON {url.database}.* TO {ACCOUNT}@'127.0.0.1'")
    of_account = url.set(username=ACCOUNT, password=None)
    used = Database(of_account.render_as_string(hide_password=False), connections_max=1)
    yield used
    await used.close()
    await execute(database, f"DROP USER {ACCOUNT}@'127.0.0.1'")


async def test_a_server_without_replication_is_writable(database: Database) -> None:
    await database.read(require_writable)


@on_servers
async def test_a_read_only_node_is_left_until_it_is_writable(
    own_server: DatabaseServer, database: Database, application: Database
) -> None:
    """Each check connects anew, since another node may be the primary now."""
    assert own_server.port == database.engine.sync_engine.url.port
    await application.read(require_writable)
    before = await scalar(application, "SELECT CONNECTION_ID()")
    await execute(database, "SET GLOBAL read_only = ON")
    try:
        with pytest.raises(NodeNotWritable):
            await application.read(require_writable)
    finally:
        await execute(database, "SET GLOBAL read_only = OFF")
    assert connections_in_use(application) == 0
    assert await scalar(application, "SELECT CONNECTION_ID()") != before
    await application.read(require_writable)


@on_servers
async def test_reads_are_in_sync_with_the_cluster(application: Database) -> None:
    """Where the engine has a setting for it, without any right on the server."""

    async def settings(connection: AsyncConnection) -> list[str]:
        shown = await connection.execute(
            text("SHOW VARIABLES WHERE Variable_name IN ('wsrep_sync_wait', 'group_replication_consistency')")
        )
        return [row[1] for row in shown]

    assert await application.read(settings) in (["1"], ["BEFORE"])
