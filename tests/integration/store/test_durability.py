"""Whether the database keeps what it says it has committed."""

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
    """Return what changes a setting of the server for a while."""
    del own_server  # asked for since only a server of our own may be changed

    @asynccontextmanager
    async def changed(name: str, value: int) -> AsyncIterator[None]:
        before = await scalar(database, f"SELECT @@GLOBAL.{name}")
        await execute(database, f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            await execute(database, f"SET GLOBAL {name} = {before}")

    return changed


async def test_the_default_is_durable(database: Database) -> None:
    """A server with its engine's defaults, and SQLite as we open it, give no warning."""
    assert await durability_warnings(database) == []


@on_servers
async def test_a_lazy_log(database: Database, setting: Setting) -> None:
    """A redo log that is not flushed with the commit is warned of in a sentence."""
    async with setting("innodb_flush_log_at_trx_commit", 2):
        assert await durability_warnings(database) == [warning("innodb_flush_log_at_trx_commit", 2)]


@on_mysql
async def test_a_lazy_binary_log(database: Database, setting: Setting) -> None:
    """A binary log that is written, but not flushed with the commit, is warned of too."""
    async with setting("sync_binlog", 0):
        assert await durability_warnings(database) == [warning("sync_binlog", 0)]
