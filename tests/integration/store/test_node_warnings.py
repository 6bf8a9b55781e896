"""A node that is set up so that acknowledged results may be lost, or not found, is warned of."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from batches.store.database import Database
from batches.store.node_warnings import NodeWarning, read_node, warnings_of
from database_servers import DatabaseServer
from tests.integration.store.accounts import account, run
from tests.integration.store.steps import execute, on_mariadb, on_mysql, on_servers, scalar

Setting = Callable[[str, object], AbstractAsyncContextManager[None]]
ALL = "GRANT ALL ON {database}.* TO {at}"


def flush_warning(name: str, value: int) -> str:
    """Return the warning about a setting whose safe value is 1."""
    return (
        f"{name} is {value}, not 1: acknowledged results may be lost if the database crashes."
        f" Set {name} = 1 on the database server"
    )


async def warnings_at(url: str) -> dict[NodeWarning, str]:
    """Return the warnings that a program with this URL gives."""
    database = Database(url, connections_max=1)
    node = await database.read(read_node)
    await database.close()
    return {} if node is None else warnings_of(node)


@pytest.fixture
async def application_url(databases: object, database_engine: str, database_url: str) -> AsyncIterator[str]:
    """Return the URL of an account with rights on its database alone, as an application should have."""
    del databases
    if database_engine == "sqlite":
        yield database_url
        return
    async with account(database_url, ALL) as url:
        yield url


@pytest.fixture
def setting(own_server: DatabaseServer, database: Database) -> Setting:
    """Return a context manager that changes a setting of the server."""
    del own_server  # requested, since only a server of our own may be changed

    @asynccontextmanager
    async def changed(name: str, value: object) -> AsyncIterator[None]:
        before = await scalar(database, f"SELECT @@GLOBAL.{name}")
        await execute(database, f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            await execute(database, f"SET GLOBAL {name} = {before}")

    return changed


async def test_default_settings_give_no_warning(application_url: str) -> None:
    """The settings of SQLite connections give none either."""
    assert await warnings_at(application_url) == {}


@on_servers
async def test_a_redo_log_that_is_not_flushed_is_warned_of(application_url: str, setting: Setting) -> None:
    """The warning names the setting, the risk and the remedy."""
    async with setting("innodb_flush_log_at_trx_commit", 2):
        assert await warnings_at(application_url) == {
            NodeWarning.REDO_LOG_NOT_FLUSHED: flush_warning("innodb_flush_log_at_trx_commit", 2)
        }


@on_mysql
async def test_a_binary_log_that_is_not_flushed_is_warned_of(application_url: str, setting: Setting) -> None:
    """MariaDB has no binary log by default."""
    async with setting("sync_binlog", 0):
        assert await warnings_at(application_url) == {
            NodeWarning.BINARY_LOG_NOT_FLUSHED: flush_warning("sync_binlog", 0)
        }


@on_mysql
async def test_a_node_with_a_binary_log_of_statements_is_warned_of(
    application_url: str, setting: Setting
) -> None:
    """A server meets it after a fail-over; at its start it would be refused."""
    async with setting("binlog_format", "STATEMENT"):
        assert set(await warnings_at(application_url)) == {NodeWarning.BINARY_LOG_OF_STATEMENTS}


@on_servers
async def test_an_account_that_passes_read_only_is_warned_of(database_url: str) -> None:
    """The test's own account may do everything."""
    warnings = await warnings_at(database_url)
    assert set(warnings) == {NodeWarning.PASSES_READ_ONLY}
    assert "this account may write to a read-only node (" in warnings[NodeWarning.PASSES_READ_ONLY]


@on_mysql
@pytest.mark.parametrize("right", ["CONNECTION_ADMIN", "SUPER"])
async def test_a_right_of_mysql_that_passes_read_only_is_warned_of(database_url: str, right: str) -> None:
    async with account(database_url, ALL, f"GRANT {right} ON *.* TO {{at}}") as url:
        assert f"({right})" in (await warnings_at(url))[NodeWarning.PASSES_READ_ONLY]


@on_mariadb
async def test_only_rights_of_mariadb_that_pass_read_only_are_warned_of(database_url: str) -> None:
    """SUPER no longer does since 10.11."""
    async with account(database_url, ALL, "GRANT SUPER, CONNECTION ADMIN ON *.* TO {at}") as url:
        assert await warnings_at(url) == {}
        await run(database_url, "GRANT READ_ONLY ADMIN ON *.* TO application@'127.0.0.1'")
        assert "(READ_ONLY ADMIN)" in (await warnings_at(url))[NodeWarning.PASSES_READ_ONLY]
