"""The database fails: what may go better is run again unseen, what does not is told in time."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import DatabaseUnavailable, ValueRefused
from batches.store import database as database_module
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from database_servers import DatabaseServer
from tests.integration.store.steps import (
    WAIT_SECONDS_MAX,
    connections_in_use,
    create,
    execute,
    ignore,
    note,
    notes,
    on_servers,
    open_connections,
    recorded,
    report,
    scalar,
    touch,
    wait_until,
)
from tests.support.samples import result


@on_servers
async def test_a_deadlock_is_run_again(database: Database, other_database: Database) -> None:
    """Of two transactions that wait for each other the database ends one, and it is begun anew unseen."""
    await database.write(lambda connection: note(connection, "a"))
    await database.write(lambda connection: note(connection, "b"))
    tries: Counter[str] = Counter()
    held = {"a": asyncio.Event(), "b": asyncio.Event()}

    def crossing(first: str, second: str) -> Callable[[AsyncConnection], Awaitable[None]]:
        async def work(connection: AsyncConnection) -> None:
            tries[first] += 1
            await touch(connection, first)
            held[first].set()
            await held[second].wait()
            await touch(connection, second)

        return work

    await asyncio.gather(database.write(crossing("a", "b")), other_database.write(crossing("b", "a")))
    assert sorted(tries.values()) == [1, 2]


@on_servers
async def test_a_lock_time_out_is_run_again(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a lock too long begins anew, and gets it when it is free."""
    monkeypatch.setattr(database_module, "LOCK_WAIT_SECONDS_MAX", 1)
    impatient = Database(database_url, connections_max=1)
    await database.write(lambda connection: note(connection, "a"))
    tries, tried_again = 0, asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            tried_again.set()
        await touch(connection, "a")

    async with database.engine.begin() as holder, asyncio.timeout(WAIT_SECONDS_MAX):
        await touch(holder, "a")
        writing = asyncio.create_task(impatient.write(work))
        await tried_again.wait()
    await writing
    assert tries == 2
    await impatient.close()


@on_servers
async def test_a_value_that_does_not_fit_is_refused(store: BatchStore, database: Database) -> None:
    """A value without room is told apart from a database that is away, and what is told quotes no value."""
    await create(store, 2)
    with pytest.raises(ValueRefused) as refused:
        await report(store, result("fits"), result("j" * 1_000))
    assert "jjjj" not in str(refused.value.__cause__)
    assert await recorded(store) == {}
    assert connections_in_use(database) == 0


@on_servers
@pytest.mark.parametrize("transaction", [Database.write, Database.read])
async def test_a_lost_connection_is_run_again(
    database: Database,
    other_database: Database,
    transaction: Callable[[Database, Callable[[AsyncConnection], Awaitable[int]]], Awaitable[int]],
) -> None:
    """A connection that ends between two statements is replaced, and the transaction begun anew unseen."""
    tries = 0

    async def work(connection: AsyncConnection) -> int:
        nonlocal tries
        tries += 1
        await note(connection, f"try {tries}")
        if tries == 1:
            number = await connection.scalar(text("SELECT CONNECTION_ID()"))
            await execute(other_database, f"KILL {number}")
        return int(await connection.scalar(text("SELECT 42")))

    assert await transaction(database, work) == 42
    assert tries == 2
    assert await database.read(notes) == (["try 2"] if transaction is Database.write else [])
    assert connections_in_use(database) == 0


@on_servers
async def test_a_whole_pool_of_lost_connections(database: Database, other_database: Database) -> None:
    """All connections were cut while idle, by a proxy or a restart: nobody who uses them next sees it."""
    await open_connections(database, 8)
    others = (
        "SELECT GROUP_CONCAT(id) FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    )
    for number in (await scalar(other_database, others)).split(","):
        await execute(other_database, f"KILL {number}")
    await asyncio.gather(*(database.write(ignore) for _ in range(20)))
    assert connections_in_use(database) == 0


@on_servers
@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "not yet connected"])
@pytest.mark.parametrize("transaction", [Database.write, Database.read])
async def test_a_frozen_database(
    own_server: DatabaseServer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    transaction: Callable[[Database, Callable[[AsyncConnection], Awaitable[None]]], Awaitable[None]],
    is_connected: bool,  # noqa: FBT001
) -> None:
    """Callers are told in time that it does not answer; the pool is whole as soon as it goes on."""
    for name, seconds in (("STATEMENT", 0.4), ("TRANSACTION", 0.8), ("CONNECT", 0.4)):
        monkeypatch.setattr(database_module, f"{name}_SECONDS_MAX", seconds)
    database = Database(database_url, connections_max=3)
    if is_connected:
        await open_connections(database, 3)
    await asyncio.to_thread(own_server.pause)
    begin = time.monotonic()
    outcomes = await asyncio.gather(
        *(transaction(database, ignore) for _ in range(6)), return_exceptions=True
    )
    took_seconds = time.monotonic() - begin
    own_server.resume()
    assert [type(one) for one in outcomes] == [DatabaseUnavailable] * 6
    assert took_seconds < 3
    await wait_until(lambda: _opens_connections(database, 3))
    assert connections_in_use(database) == 0
    await database.close()


async def test_a_statement_that_is_wrong_is_not_repeated(database: Database) -> None:
    """Only what may go better the next time is run again, however the failure is called."""
    tries = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises((DatabaseUnavailable, SQLAlchemyError)):
        await database.write(work)
    assert tries == 1


async def test_nothing_of_the_url_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the error nor the log says where the database is, or with which password."""
    database = Database("mysql+asyncmy://worker:secret@127.0.0.1:1/name", connections_max=1)
    with pytest.raises(DatabaseUnavailable) as unavailable:
        await database.ping()
    await database.close()
    assert str(unavailable.value) == ""
    assert isinstance(unavailable.value.__cause__, OperationalError)
    logged = "".join(capsys.readouterr())
    assert "database unavailable" in logged
    assert not [word for word in ("worker", "secret", "127.0.0.1") if word in logged]


async def _opens_connections(database: Database, number: int) -> bool:
    try:
        await open_connections(database, number)
    except DatabaseUnavailable:  # the server wakes up, the limits are those of this test
        return False
    return True
