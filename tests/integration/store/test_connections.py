"""The settings of a connection, as the database itself reports them, and the limits on time."""

import asyncio

import pytest
from sqlalchemy import Connection, text

from batches.errors import DatabaseUnavailable
from batches.store import database as database_module
from batches.store import engines
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.engines import LOCK_WAIT_SECONDS_MAX, SQLITE_BUSY_SECONDS_MAX
from tests.integration.store.steps import connections_in_use, on_servers, on_sqlite, scalar

FULL = 2
"""SQLite's number for the synchronous mode that flushes each commit."""


@on_servers
async def test_connections_read_what_is_committed(database: Database) -> None:
    """With REPEATABLE READ a transaction would not see what others committed while it waited for a lock."""

    async def work(connection: AsyncConnection) -> str:
        return await connection.run_sync(Connection.get_isolation_level)

    assert await database.read(work) == "READ COMMITTED"


@on_servers
async def test_lock_waits_are_short(database: Database) -> None:
    """The server's default of 50 seconds is longer than any caller's deadline."""
    assert await scalar(database, "SELECT @@SESSION.innodb_lock_wait_timeout") == LOCK_WAIT_SECONDS_MAX


@on_servers
async def test_values_are_never_cut(database: Database) -> None:
    """The strict mode refuses a value that does not fit."""
    modes = await scalar(database, "SELECT @@SESSION.sql_mode")
    assert set(modes.split(",")) == {"STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION"}


@on_sqlite
async def test_sqlite_flushes_each_commit(database: Database) -> None:
    """An acknowledged result survives a power failure."""
    assert await scalar(database, "PRAGMA journal_mode") == "wal"
    assert await scalar(database, "PRAGMA synchronous") == FULL


@on_sqlite
async def test_sqlite_waits_for_the_other_writer(database: Database) -> None:
    """It does not fail at once while another connection writes."""
    assert await scalar(database, "PRAGMA busy_timeout") == SQLITE_BUSY_SECONDS_MAX * 1_000


@on_servers
async def test_a_statement_without_an_answer_is_retried(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver would wait for ever by default."""
    monkeypatch.setattr(engines, "STATEMENT_SECONDS_MAX", 0.5)
    monkeypatch.setattr(database_module, "TRANSACTION_SECONDS_MAX", 5)
    database = Database(database_url, connections_max=1)
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.scalar(text("SELECT SLEEP(:seconds)"), {"seconds": 30 if tries == 1 else 0})

    await database.write(work)
    assert tries == 2
    await database.close()


@on_sqlite
async def test_a_transaction_that_takes_too_long_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit includes everything between its statements, and the connection returns to the pool."""
    monkeypatch.setattr(database_module, "TRANSACTION_SECONDS_MAX", 0.2)
    may_end = asyncio.Event()
    asyncio.get_running_loop().call_later(3, may_end.set)

    async def work(_connection: AsyncConnection) -> None:
        await may_end.wait()

    with pytest.raises(DatabaseUnavailable):
        await database.write(work)
    assert connections_in_use(database) == 0
