"""Scripts: several statements that the database gets at once, mixed with those of SQLAlchemy."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.script import COMMIT, TEXT_BYTES_MAX, Statement, raise_translated, run_script, texts_of
from tests.integration.store.steps import (
    connections_in_use,
    create,
    insert_row,
    on_servers,
    on_sqlite,
    report,
    row_names,
)
from tests.support.samples import result

TIME = "2000-01-01 00:00:00.000000"


def insert_of(*names: str) -> Statement:
    """Return the statement that inserts rows with these names."""
    sql = "INSERT INTO leases (name, holder, expire_time) VALUES "
    return Statement(sql, rows=[(name, "", TIME) for name in names])


async def test_script_returns_the_rows_of_its_queries(database: Database) -> None:
    """Statements without rows have no part in it, and a query that finds nothing has none."""

    async def work(connection: AsyncConnection) -> None:
        query = "SELECT name FROM leases WHERE name >= %s ORDER BY name"
        script = [insert_of("a", "it's"), Statement(query, ["a"]), Statement(query, ["z"])]
        first, second = await run_script(connection, script)
        assert [list(row) for row in first] == [["a"], ["it's"]]
        assert list(second) == []

    await database.write(work)


async def test_script_without_commit_is_committed_at_the_end(
    database: Database, other_database: Database
) -> None:
    """It may be the only content of its transaction, or have statements of SQLAlchemy around it."""

    async def mixed(connection: AsyncConnection) -> None:
        await insert_row(connection, "b")
        await run_script(connection, [insert_of("c")])
        await insert_row(connection, "d")

    await database.write(lambda connection: run_script(connection, [insert_of("a")]))
    assert await other_database.read(row_names) == ["a"]
    await database.write(mixed)
    assert await other_database.read(row_names) == ["a", "b", "c", "d"]


async def test_statement_of_sqlalchemy_follows_a_script(database: Database, other_database: Database) -> None:
    """Both are in one transaction, which the script has begun."""

    async def work(connection: AsyncConnection) -> None:
        await run_script(connection, [insert_of("a")])
        await insert_row(connection, "b")
        assert await other_database.read(row_names) == []

    await database.write(work)
    assert await other_database.read(row_names) == ["a", "b"]


async def test_error_after_a_script_rolls_it_back(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await run_script(connection, [insert_of("a")])
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await database.write(work)
    await database.write(lambda connection: insert_row(connection, "b"))
    assert await database.read(row_names) == ["b"]
    assert connections_in_use(database) == 0


async def test_error_after_a_committed_script_rolls_its_own_statements_back(database_url: str) -> None:
    """What was committed stays."""
    database = Database(database_url, connections_max=1)

    async def work(connection: AsyncConnection) -> None:
        await run_script(connection, [insert_of("a"), COMMIT])
        await run_script(connection, [insert_of("b")])
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    await database.write(lambda connection: insert_row(connection, "c"))
    assert await database.read(row_names) == ["a", "c"]
    await database.close()


@on_sqlite
async def test_script_that_is_cut_after_a_committed_one_leaves_nothing_to_the_next_transaction(
    database_url: str, other_database: Database
) -> None:
    """The thread of SQLite goes on with it. It is rolled back, although the last script had committed."""
    database = Database(database_url, connections_max=1)
    is_locked, is_cut = asyncio.Event(), asyncio.Event()

    async def lock(connection: AsyncConnection) -> None:
        await insert_row(connection, "other")
        is_locked.set()
        await is_cut.wait()

    async def work(connection: AsyncConnection) -> None:
        await run_script(connection, [insert_of("a"), COMMIT])
        locking.append(asyncio.create_task(other_database.write(lock)))
        await is_locked.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):  # it waits for the lock
                await run_script(connection, [insert_of("b")])
        is_cut.set()
        raise LookupError

    locking: list[asyncio.Task[None]] = []
    with pytest.raises(LookupError):
        await database.write(work)
    await asyncio.gather(*locking)
    await database.write(lambda connection: insert_row(connection, "c"))
    assert await database.read(row_names) == ["a", "c", "other"]
    await database.close()


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_error_in_any_statement_is_that_of_sqlalchemy(database: Database, number: int) -> None:
    """The statements before it are rolled back, and those after it do not run."""
    script = [insert_of("a"), insert_of("b"), insert_of("c")]
    script.insert(number, insert_of("twice", "twice"))

    async def work(connection: AsyncConnection) -> None:
        with pytest.raises(IntegrityError):
            await run_script(connection, script)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    assert await database.read(row_names) == []
    await database.write(lambda connection: run_script(connection, script[:number]))


async def test_error_of_a_script_shows_no_values(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        with pytest.raises(DBAPIError) as raised:
            await run_script(connection, [Statement("SELECT %s FROM nothing", ["secret"])])
        assert "secret" not in str(raised.value)

    await database.read(work)


@on_servers
async def test_lost_connection_is_that_of_sqlalchemy(database: Database) -> None:
    """The driver fails with an AttributeError, which would look like a defect of ours."""
    async with database.engine.connect() as connection:
        with pytest.raises(DBAPIError) as raised:
            await connection.run_sync(raise_translated, AttributeError("'NoneType' object has no attribute"))
        assert raised.value.connection_invalidated


COUNTED = ("select", "insert", "update", "commit", "rollback")


async def _statements(connection: AsyncConnection) -> list[int]:
    """Return how many statements of each kind the connection has run."""
    rows = await connection.execute(text("SHOW SESSION STATUS LIKE 'Com\\_%'"))
    numbers = {name: int(value) for name, value in rows}
    return [numbers[f"Com_{kind}"] for kind in COUNTED]


@on_servers
async def test_commit_is_followed_by_no_rollback(database_url: str) -> None:
    """The first report of a job in a known batch is a lock, an INSERT, an UPDATE and a COMMIT."""
    database = Database(database_url, connections_max=1)
    store = BatchStore(database)
    await create(store, 10)
    await report(store, result("first"))
    before = await database.write(_statements)
    await report(store, result("second"))
    after = await database.write(_statements)
    ended = [0, 0, 0, 1, 0]  # the count before
    assert [y - x - z for x, y, z in zip(before, after, ended, strict=True)] == [1, 1, 1, 1, 0]
    await database.close()


def test_texts_are_of_a_size_that_every_server_accepts() -> None:
    """An INSERT becomes several, and statements go to several texts; nothing is lost."""
    rows = [(f"{number:06}", "x" * 700) for number in range(3_000)]
    update = Statement("UPDATE t SET a = %s WHERE b = %s", ("x" * 700, "it"))
    texts = list(texts_of([Statement("INSERT INTO t VALUES ", rows=rows), *[update] * 3_000], repr))
    assert max(map(len, texts)) <= TEXT_BYTES_MAX
    whole = b";".join(texts)
    assert whole.count(b"UPDATE") == 3_000
    assert all(f"('{number}',".encode() in whole for number, _ in rows)
