"""The database flushes what it has committed, or a warning says that it does not."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from batches.store.database import Database
from batches.store.durability import durability_warnings
from database_servers import DatabaseServer
from tests.integration.store.steps import execute, on_mysql, on_servers, scalar

Setting = Callable[[str, int], AbstractAsyncContextManager[None]]


def warning(name: str, value: int) -> str:
    """Return the warning about a setting whose safe value is 1."""
    return (
        f"{name} is {value}, not 1: acknowledged results may be lost if the database crashes."
        f" Set {name} = 1 on the database server"
    )


@pytest.fixture
def setting(own_server: DatabaseServer, database: Database) -> Setting:
    """Return a context manager that changes a setting of the server."""
    del own_server  # requested, since only a server of our own may be changed

    @asynccontextmanager
    async def changed(name: str, value: int) -> AsyncIterator[None]:
        before = await scalar(database, f"SELECT @@GLOBAL.{name}")
        await execute(database, f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            await execute(database, f"SET GLOBAL {name} = {before}")

    return changed


async def test_default_settings_give_no_warning(database: Database) -> None:
    """The settings of SQLite connections give none either."""
    assert await durability_warnings(database) == []


@on_servers
async def test_a_redo_log_that_is_not_flushed_is_warned_of(database: Database, setting: Setting) -> None:
    """The warning names the setting, the risk and the remedy."""
    async with setting("innodb_flush_log_at_trx_commit", 2):
        assert await durability_warnings(database) == [warning("innodb_flush_log_at_trx_commit", 2)]


@on_mysql
async def test_a_binary_log_that_is_not_flushed_is_warned_of(database: Database, setting: Setting) -> None:
    """MariaDB has no binary log by default."""
    async with setting("sync_binlog", 0):
        assert await durability_warnings(database) == [warning("sync_binlog", 0)]
