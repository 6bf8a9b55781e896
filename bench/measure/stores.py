"""The MySQL server of a run, with durable settings, started and stopped by the run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from batches.migrations import migrate
from batches.store.database import Database
from database_servers import DatabaseServer, database_server

DURABLE = {
    "innodb_flush_log_at_trx_commit": "1",
    "sync_binlog": "1",
    "log_bin": "binlog",
    # The rows of a run stay in memory, as on a database server of this size. The same for all peers.
    "innodb_buffer_pool_size": "1G",
}


class MysqlServer:
    """A running MySQL server.

    Args:
        server: The server.
        engine: A connection pool for statements of the benchmark itself.
        pid: The server process; None if its CPU time cannot be read, as in a container.

    """

    def __init__(self, server: DatabaseServer, engine: AsyncEngine, pid: int | None) -> None:
        self._server = server
        self._engine = engine
        self.pids = [] if pid is None else [pid]
        """The server process; empty if its CPU time cannot be read."""

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[str]:
        """Create a database, yield its URL, and drop it at the end of the context."""
        await self._execute(f"CREATE DATABASE {name}")
        try:
            yield self._server.url(name)
        finally:
            await self._execute(f"DROP DATABASE {name}")

    async def variables(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return the values of global variables."""
        async with self._engine.connect() as connection:
            return {name: str(await connection.scalar(text(f"SELECT @@GLOBAL.{name}"))) for name in names}

    async def _execute(self, statement: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(statement))


@asynccontextmanager
async def mysql() -> AsyncIterator[MysqlServer]:
    """Run MySQL with durable settings while the context is open."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in DURABLE.items()]
    server = await asyncio.to_thread(database_server, "mysql", options, own=True)
    await asyncio.to_thread(server.start)
    engine = create_async_engine(server.url(), pool_size=1)
    try:
        yield MysqlServer(server, engine, await _mysql_pid(engine))
    finally:
        await engine.dispose()
        await asyncio.to_thread(server.stop)


async def _mysql_pid(engine: AsyncEngine) -> int | None:
    async with engine.connect() as connection:
        file = str(await connection.scalar(text("SELECT @@GLOBAL.pid_file")))
    return await asyncio.to_thread(_number_in, Path(file))


def _number_in(file: Path) -> int | None:
    """Return the number in a file; None if the file is not on this machine but in a container."""
    return int(file.read_text()) if file.is_file() else None


@asynccontextmanager
async def with_tables(url: str) -> AsyncIterator[Database]:
    """Create our tables, and stay connected for checks."""
    database = Database(url, connections_max=1)
    try:
        await migrate.upgrade(database)
        yield database
    finally:
        await database.close()
