"""Transactions: what others see of them, and that each one begun comes to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import DatabaseUnavailable
from batches.store import database as database_module
from batches.store.database import Database
from tests.integration.store.steps import (
    connections_in_use,
    ignore,
    note,
    notes,
    on_servers,
    on_sqlite,
    wait_until_returned,
)


async def test_a_reader_sees_what_is_committed(database: Database, other_database: Database) -> None:
    """Rows of a transaction are seen by others after its commit, and not before."""
    before: list[list[str]] = []

    async def work(connection: AsyncConnection) -> None:
        await note(connection, "a")
        before.append(await other_database.read(notes))

    await database.write(work)
    assert before == [[]]
    assert await other_database.read(notes) == ["a"]


async def test_an_error_undoes_everything(database: Database) -> None:
    """What raises is passed on as it is, and nothing of the transaction stays."""

    async def work(connection: AsyncConnection) -> None:
        await note(connection, "a")
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await database.write(work)
    assert await database.read(notes) == []
    assert connections_in_use(database) == 0


async def test_a_snapshot_is_one_moment(database: Database, other_database: Database) -> None:
    """Whatever others commit meanwhile, the reads of a snapshot fit together; no writer waits for it."""
    assert await database.read(_look_twice(other_database), snapshot=True) == [[], []]
    assert await database.read(notes) == ["a"]


@on_servers
async def test_a_read_after_a_snapshot(database_url: str, other_database: Database) -> None:
    """The connection of a snapshot is an ordinary one afterwards: it sees what others commit."""
    database = Database(database_url, connections_max=1)
    await database.read(notes, snapshot=True)
    assert await database.read(_look_twice(other_database)) == [[], ["a"]]
    await database.close()


async def test_a_cancelled_caller(database: Database, other_database: Database) -> None:
    """The caller is released at once; its transaction commits, and gives its connection back."""
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await note(connection, "a")
        has_begun.set()
        await may_end.wait()

    caller = asyncio.create_task(database.write(work))
    await has_begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await other_database.read(notes) == []
    may_end.set()
    await wait_until_returned(database)
    assert await other_database.read(notes) == ["a"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_callers_cancelled_at_any_moment(
    database: Database, other_database: Database, seed: int
) -> None:
    """Wherever a cancellation hits, what was begun commits, and closing waits for it."""
    chance = Random(seed)

    async def write(number: int) -> None:
        task = asyncio.create_task(database.write(lambda connection: note(connection, f"{number:02}")))
        for _ in range(chance.randint(1, 40)):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    await asyncio.gather(*(write(number) for number in range(40)))
    await database.close()
    assert connections_in_use(database) == 0
    assert await other_database.read(notes) == [f"{number:02}" for number in range(40)]


@on_sqlite
async def test_a_writer_that_does_not_end(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer: who waits for it too long is told so, and readers do not wait at all."""
    monkeypatch.setattr(database_module, "SQLITE_BUSY_SECONDS_MAX", 0)
    impatient = Database(database_url, connections_max=2)
    async with database.engine.begin() as holder:
        await note(holder, "a")
        assert await impatient.read(notes) == []
        with pytest.raises(DatabaseUnavailable):
            await impatient.write(ignore)
    await impatient.write(ignore)
    assert await impatient.read(notes) == ["a"]
    assert connections_in_use(impatient) == 0
    await impatient.close()


@on_sqlite
async def test_a_new_file_that_several_open(new_database_url: str) -> None:
    """Servers that start together on a file that is not there yet do not get in each other's way."""
    for number in range(30):  # unprepared for it, one in ten goes wrong
        servers = [Database(f"{new_database_url}-{number}", connections_max=1) for _ in range(4)]
        await asyncio.gather(*(server.ping() for server in servers))
        await asyncio.gather(*(server.close() for server in servers))


async def test_closing_waits(database: Database, other_database: Database) -> None:
    """A transaction that runs is committed before the connections are closed."""
    has_begun = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        has_begun.set()
        for number in range(10):
            await note(connection, str(number))

    writing = asyncio.create_task(database.write(work))
    await has_begun.wait()
    await database.close()
    await writing
    assert len(await other_database.read(notes)) == 10


def _look_twice(other: Database) -> Callable[[AsyncConnection], Awaitable[list[list[str]]]]:
    """Return a read that looks, lets another one commit, and looks again."""

    async def work(connection: AsyncConnection) -> list[list[str]]:
        first = await notes(connection)
        await other.write(lambda theirs: note(theirs, "a"))
        return [first, await notes(connection)]

    return work
