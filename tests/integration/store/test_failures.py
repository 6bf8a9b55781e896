"""Failures of the database: transient ones are retried, all others are reported in time."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from batches.errors import DatabaseUnavailable, ValueRefused
from batches.store import database as database_module
from batches.store import engines
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from database_servers import DatabaseServer
from tests.integration.store.steps import (
    WAIT_SECONDS_MAX,
    connections_in_use,
    create,
    execute,
    insert_row,
    lock_row,
    on_servers,
    open_connections,
    recorded,
    report,
    row_names,
    scalar,
    select_one,
    wait_until,
)
from tests.support.samples import result


@on_servers
async def test_a_deadlock_is_retried(database: Database, other_database: Database) -> None:
    """The database ends one of two transactions that wait for each other."""
    await database.write(lambda connection: insert_row(connection, "a"))
    await database.write(lambda connection: insert_row(connection, "b"))
    tries: Counter[str] = Counter()
    held = {"a": asyncio.Event(), "b": asyncio.Event()}

    def crossing(first: str, second: str) -> Callable[[AsyncConnection], Awaitable[None]]:
        async def work(connection: AsyncConnection) -> None:
            tries[first] += 1
            await lock_row(connection, first)
            held[first].set()
            await held[second].wait()
            await lock_row(connection, second)

        return work

    await asyncio.gather(database.write(crossing("a", "b")), other_database.write(crossing("b", "a")))
    assert sorted(tries.values()) == [1, 2]


@on_servers
async def test_a_lock_time_out_is_retried(database: Database, other_database: Database) -> None:
    """The retry gets the lock when it is free."""
    await database.write(lambda connection: insert_row(connection, "a"))
    tries, tried_again = 0, asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            tried_again.set()
        await lock_row(connection, "a")

    async with database.engine.begin() as holder, asyncio.timeout(WAIT_SECONDS_MAX):
        await lock_row(holder, "a")
        writing = asyncio.create_task(other_database.write(work))
        await tried_again.wait()
    await writing
    assert tries == 2


@on_servers
async def test_a_value_that_does_not_fit_is_refused(store: BatchStore, database: Database) -> None:
    """The error differs from that of an unavailable database, and does not contain the value."""
    await create(store, 2)
    with pytest.raises(ValueRefused) as refused:
        await report(store, result("fits"), result("j" * 1_000))
    assert "jjjj" not in str(refused.value.__cause__)
    assert await recorded(store) == {}
    assert connections_in_use(database) == 0


@on_servers
async def test_a_column_that_is_missing_in_a_statement_is_not_a_refused_value(database: Database) -> None:
    """A newer schema may have a mandatory column that this version does not write."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TEMPORARY TABLE newer (known INT, mandatory INT NOT NULL)"))
        await connection.execute(text("INSERT INTO newer (known) VALUES (1)"))

    with pytest.raises(DatabaseUnavailable):
        await database.write(work)


@on_servers
@pytest.mark.parametrize("transaction", [Database.write, Database.read])
async def test_a_transaction_is_retried_when_its_connection_is_lost(
    database: Database,
    other_database: Database,
    transaction: Callable[[Database, Callable[[AsyncConnection], Awaitable[int]]], Awaitable[int]],
) -> None:
    """The retry uses a new connection."""
    tries = 0

    async def work(connection: AsyncConnection) -> int:
        nonlocal tries
        tries += 1
        await insert_row(connection, f"try {tries}")
        if tries == 1:
            number = await connection.scalar(text("SELECT CONNECTION_ID()"))
            await execute(other_database, f"KILL {number}")
        return int(await connection.scalar(text("SELECT 42")))

    assert await transaction(database, work) == 42
    assert tries == 2
    assert await database.read(row_names) == (["try 2"] if transaction is Database.write else [])
    assert connections_in_use(database) == 0


@on_servers
async def test_lost_idle_connections_are_replaced(database: Database, other_database: Database) -> None:
    """A proxy or a restart closed the whole pool; no caller notices."""
    await open_connections(database, 8)
    others = (
        "SELECT GROUP_CONCAT(id) FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    )
    for number in (await scalar(other_database, others)).split(","):
        await execute(other_database, f"KILL {number}")
    await asyncio.gather(*(database.write(select_one) for _ in range(20)))
    assert connections_in_use(database) == 0


@on_servers
@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "not yet connected"])
@pytest.mark.parametrize("transaction", [Database.write, Database.read])
async def test_callers_of_a_suspended_database_get_an_error_in_time(
    own_server: DatabaseServer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    transaction: Callable[[Database, Callable[[AsyncConnection], Awaitable[None]]], Awaitable[None]],
    *,
    is_connected: bool,
) -> None:
    """The pool is complete again as soon as the server continues."""
    monkeypatch.setattr(engines, "STATEMENT_SECONDS_MAX", 0.4)
    monkeypatch.setattr(engines, "CONNECT_SECONDS_MAX", 0.4)
    monkeypatch.setattr(database_module, "TRANSACTION_SECONDS_MAX", 0.8)
    database = Database(database_url, connections_max=3)
    if is_connected:
        await open_connections(database, 3)
    await asyncio.to_thread(own_server.pause)
    begin = time.monotonic()
    outcomes = await asyncio.gather(
        *(transaction(database, select_one) for _ in range(6)), return_exceptions=True
    )
    took_seconds = time.monotonic() - begin
    own_server.resume()
    assert [type(one) for one in outcomes] == [DatabaseUnavailable] * 6
    assert took_seconds < 3
    await wait_until(lambda: _opens_connections(database, 3))
    assert connections_in_use(database) == 0
    await database.close()


async def test_an_invalid_statement_is_not_retried(database: Database) -> None:
    """Only errors that may disappear are retried."""
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises((DatabaseUnavailable, SQLAlchemyError)):
        await database.write(work)
    assert tries == 1


async def test_errors_do_not_contain_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    """The log of a server, which callers cause, does not even name the database server and the user."""
    database = Database("mysql+asyncmy://worker:secret@127.0.0.1:1/name", connections_max=1)
    with pytest.raises(DatabaseUnavailable) as unavailable:
        await database.ping()
    await database.close()
    assert "worker" in str(unavailable.value)
    assert "secret" not in str(unavailable.value)
    assert isinstance(unavailable.value.__cause__, OperationalError)
    logged = "".join(capsys.readouterr())
    assert "database unavailable" in logged
    assert not [word for word in ("worker", "secret", "127.0.0.1") if word in logged]


async def _opens_connections(database: Database, number: int) -> bool:
    try:
        await open_connections(database, number)
    except DatabaseUnavailable:  # the server is resuming, and the limits of this test are short
        return False
    return True
