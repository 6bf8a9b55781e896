"""Upgrading a database to this version's schema, and refusing other versions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import SchemaMismatch, UpgradeUnderWay
from batches.migrations import migrate
from batches.store import engines, schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import create, execute, on_mariadb, on_servers, scalar, wait_until
from tests.support.samples import BATCH

HEAD = migrate.head_version()


@pytest.fixture
async def new_database(new_database_url: str) -> AsyncIterator[Database]:
    """Return a database without tables."""
    database = Database(new_database_url, connections_max=8)
    yield database
    await database.close()


async def version_of(database: Database) -> str | None:
    """Return the schema version of a database; None for an empty one."""

    async def read(connection: AsyncConnection) -> str | None:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())

    return await database.read(read)


async def test_an_upgrade_creates_the_tables(new_database: Database) -> None:
    """A second upgrade changes nothing."""
    assert await version_of(new_database) is None
    assert await migrate.upgrade(new_database) == (None, HEAD)
    assert await migrate.upgrade(new_database) == (HEAD, HEAD)
    assert await version_of(new_database) == HEAD
    assert (await create(BatchStore(new_database), 10)).total_jobs == BATCH.total_jobs


async def test_migrations_and_schema_are_equal(database: Database) -> None:
    """A migrated database has every column and index of schema.py, and no others."""
    assert await _differences_to_schema(database) == []


async def test_differences_from_the_schema_are_found(new_database: Database) -> None:
    """An additional column and a missing index are found."""
    await migrate.upgrade(new_database)
    await execute(new_database, "ALTER TABLE leases ADD COLUMN colour VARCHAR(7)")
    await execute(new_database, f"DROP INDEX batches_by_complete_time{_on(new_database, 'batches')}")
    assert [one[0] for one in await _differences_to_schema(new_database)] == ["add_index", "remove_column"]


@on_servers
async def test_every_text_column_has_a_binary_collation(database: Database) -> None:
    """The default of the database does not matter."""
    query = (
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name <> 'alembic_version' AND collation_name NOT IN ('ascii_bin', 'utf8mb4_bin')"
    )
    assert await scalar(database, query) == 0


async def test_an_empty_database_is_refused(new_database: Database) -> None:
    """The error of a server that starts before the migration says what to do."""
    with pytest.raises(SchemaMismatch) as refused:
        await migrate.require_usable(new_database)
    assert str(refused.value) == (
        f"the database has no tables, but this version needs schema {HEAD}: run `python -m batches upgrade`"
    )


async def test_this_versions_schema_is_accepted(database: Database) -> None:
    """A server starts on a migrated database."""
    await migrate.require_usable(database)


@pytest.mark.parametrize("oldest", [None, "9999"])
async def test_a_newer_version_is_refused(new_database: Database, oldest: str | None) -> None:
    """A server and an upgrade refuse a newer schema that does not name this program's version."""
    await _newer_schema(new_database, oldest)
    for step in (migrate.require_usable, migrate.upgrade):
        with pytest.raises(SchemaMismatch) as refused:
            await step(new_database)
        assert str(refused.value) == (
            f"the database has schema 9999, on which this version (schema {HEAD}) cannot run:"
            " run the newer version that upgraded it"
        )


@pytest.mark.parametrize("oldest", ["0001", HEAD])
async def test_a_newer_version_that_allows_this_program_is_accepted(
    new_database: Database, oldest: str
) -> None:
    """An upgrade leaves it as it is."""
    await _newer_schema(new_database, oldest)
    await migrate.require_usable(new_database)
    assert await migrate.upgrade(new_database) == ("9999", "9999")
    assert await version_of(new_database) == "9999"


async def test_an_older_version_is_refused(new_database: Database) -> None:
    """The error of a server that starts before the migration says what to do."""
    await migrate.upgrade(new_database)
    await execute(new_database, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemaMismatch, match=f"has schema 0001, but this version needs schema {HEAD}: run"):
        await migrate.require_usable(new_database)
    assert await migrate.upgrade(new_database) == ("0001", HEAD)


async def _newer_schema(database: Database, oldest_program: str | None) -> None:
    await migrate.upgrade(database)
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    if oldest_program is not None:
        async with database.engine.begin() as connection:
            values = {"schema_version": "9999", "oldest_program": oldest_program}
            await connection.execute(insert(schema.schema_programs).values(values))


@pytest.mark.parametrize("number", [2, 4])
async def test_concurrent_upgrades_take_turns(new_database_url: str, number: int) -> None:
    """All upgrades succeed, and the schema is correct."""
    databases = [Database(new_database_url, connections_max=2) for _ in range(number)]
    try:
        versions = await asyncio.gather(*map(migrate.upgrade, databases))
        assert sorted(versions, key=str) == [(HEAD, HEAD)] * (number - 1) + [(None, HEAD)]
        assert await _differences_to_schema(databases[0]) == []
    finally:
        await asyncio.gather(*(database.close() for database in databases))


@on_servers
async def test_an_interrupted_upgrade_can_be_run_again(new_database: Database) -> None:
    """MySQL commits each table separately; the next upgrade creates the missing ones."""
    await migrate.upgrade(new_database)
    for table in ("job_results", "repairs", "deleted_batches"):
        await execute(new_database, f"DROP TABLE {table}")
    await execute(new_database, "DELETE FROM alembic_version")
    assert await migrate.upgrade(new_database) == (None, HEAD)
    assert await _differences_to_schema(new_database) == []


@on_servers
async def test_an_upgrade_may_take_longer_than_a_statement(
    new_database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changing a large table takes longer than any statement that a caller waits for."""
    monkeypatch.setattr(engines, "STATEMENT_SECONDS_MAX", 0.3)
    impatient = Database(new_database_url, connections_max=1)
    waiting = (
        "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'User lock%' AND time >= 1"
    )

    async def has_waited() -> bool:
        return bool(await scalar(database, waiting))

    async with database.engine.connect() as other:
        await other.execute(text("SELECT GET_LOCK(:name, 0)"), {"name": migrate.LOCK_NAME})
        upgrade = asyncio.create_task(migrate.upgrade(impatient))
        await wait_until(has_waited)
        await other.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": migrate.LOCK_NAME})
    assert await upgrade == (None, HEAD)
    await impatient.close()


@on_servers
async def test_an_upgrade_stops_waiting_for_another_one(
    new_database: Database, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has changed nothing, and its error says what to do."""
    monkeypatch.setattr(migrate, "LOCK_SECONDS_MAX", 0)
    async with database.engine.connect() as other:
        await other.execute(text("SELECT GET_LOCK(:name, 0)"), {"name": migrate.LOCK_NAME})
        with pytest.raises(UpgradeUnderWay, match="another upgrade has been running for 0 s"):
            await migrate.upgrade(new_database)
        await other.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": migrate.LOCK_NAME})
    assert await version_of(new_database) is None


@on_mariadb
async def test_mariadb_urls_create_the_same_tables(new_database_url: str) -> None:
    """Such URLs begin with mariadb+asyncmy."""
    database = Database(new_database_url.replace("mysql+", "mariadb+", 1), connections_max=2)
    try:
        await migrate.upgrade(database)
        assert await _differences_to_schema(database) == []
        assert (await create(BatchStore(database), 10, team="sync")).labels == {"team": "sync"}
    finally:
        await database.close()


async def _differences_to_schema(database: Database) -> list[Any]:
    """Return what alembic would change to match schema.py."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        changes: list[Any] = compare_metadata(context, schema.metadata)
        return changes

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)


def _on(database: Database, table: str) -> str:
    return "" if database.is_sqlite else f" ON {table}"
