"""Transactions: their isolation, and that each of them ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import pytest

from batches.errors import DatabaseUnavailable
from batches.store import engines
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from tests.integration.store.steps import (
    connections_in_use,
    insert_row,
    on_servers,
    on_sqlite,
    row_names,
    select_one,
    wait_until_returned,
)


async def test_rows_are_visible_after_the_commit(database: Database, other_database: Database) -> None:
    """They are not visible before."""
    before: list[list[str]] = []

    async def work(connection: AsyncConnection) -> None:
        await insert_row(connection, "a")
        before.append(await other_database.read(row_names))

    await database.write(work)
    assert before == [[]]
    assert await other_database.read(row_names) == ["a"]


async def test_an_error_rolls_the_transaction_back(database: Database) -> None:
    """The error itself is passed on."""

    async def work(connection: AsyncConnection) -> None:
        await insert_row(connection, "a")
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await database.write(work)
    assert await database.read(row_names) == []
    assert connections_in_use(database) == 0


async def test_all_reads_of_a_snapshot_see_the_same_moment(
    database: Database, other_database: Database
) -> None:
    """Writers do not wait for it."""
    assert await database.read(_look_twice(other_database), snapshot=True) == [[], []]
    assert await database.read(row_names) == ["a"]


@on_servers
async def test_a_snapshot_does_not_change_its_connection(database_url: str, other_database: Database) -> None:
    """The next transaction sees what others commit."""
    database = Database(database_url, connections_max=1)
    await database.read(row_names, snapshot=True)
    assert await database.read(_look_twice(other_database)) == [[], ["a"]]
    await database.close()


async def test_the_transaction_of_a_cancelled_caller_commits(
    database: Database, other_database: Database
) -> None:
    """The caller is released at once, and the connection returns to the pool."""
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await insert_row(connection, "a")
        has_begun.set()
        await may_end.wait()

    caller = asyncio.create_task(database.write(work))
    await has_begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await other_database.read(row_names) == []
    may_end.set()
    await wait_until_returned(database)
    assert await other_database.read(row_names) == ["a"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_callers_can_be_cancelled_at_any_moment(
    database: Database, other_database: Database, seed: int
) -> None:
    """Every transaction that began commits, and closing waits for it."""
    chance = Random(seed)

    async def write(number: int) -> None:
        task = asyncio.create_task(database.write(lambda connection: insert_row(connection, f"{number:02}")))
        for _ in range(chance.randint(1, 40)):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    await asyncio.gather(*(write(number) for number in range(40)))
    await database.close()
    assert connections_in_use(database) == 0
    assert await other_database.read(row_names) == [f"{number:02}" for number in range(40)]


@on_sqlite
async def test_a_second_writer_gets_an_error_in_time(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite allows one writer; readers do not wait for it."""
    monkeypatch.setattr(engines, "SQLITE_BUSY_SECONDS_MAX", 0)
    impatient = Database(database_url, connections_max=2)
    async with database.engine.begin() as holder:
        await insert_row(holder, "a")
        assert await impatient.read(row_names) == []
        with pytest.raises(DatabaseUnavailable):
            await impatient.write(select_one)
    await impatient.write(select_one)
    assert await impatient.read(row_names) == ["a"]
    assert connections_in_use(impatient) == 0
    await impatient.close()


@on_sqlite
async def test_servers_can_open_a_new_file_concurrently(new_database_url: str) -> None:
    """All transactions succeed."""
    for number in range(30):  # without a retry, one in ten fails
        servers = [Database(f"{new_database_url}-{number}", connections_max=1) for _ in range(4)]
        await asyncio.gather(*(server.ping() for server in servers))
        await asyncio.gather(*(server.close() for server in servers))


async def test_closing_waits_for_running_transactions(database: Database, other_database: Database) -> None:
    """They commit before the connections are closed."""
    has_begun = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        has_begun.set()
        for number in range(10):
            await insert_row(connection, str(number))

    writing = asyncio.create_task(database.write(work))
    await has_begun.wait()
    await database.close()
    assert writing.done()
    await writing
    assert len(await other_database.read(row_names)) == 10


def _look_twice(other: Database) -> Callable[[AsyncConnection], Awaitable[list[list[str]]]]:
    """Return a read that reads, lets another transaction commit, and reads again."""

    async def work(connection: AsyncConnection) -> list[list[str]]:
        first = await row_names(connection)
        await other.write(lambda theirs: insert_row(theirs, "a"))
        return [first, await row_names(connection)]

    return work
