"""Upgrading a database to this version's schema, and refusing other versions."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from batches.errors import SchemaMismatch, TablesInUse, UpgradeUnderWay
from batches.migrations import migrate, turns
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.held_lease import hold_lease
from database_servers import DatabaseServer
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
        f"cannot use {new_database.place}: it has no tables, but this version needs schema {HEAD}:"
        " run `python -m batches upgrade`"
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
            f"cannot use {new_database.place}: it has schema 9999, on which this version (schema {HEAD})"
            " cannot run:"
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
async def test_an_upgrade_stops_waiting_for_another_one(
    new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has changed nothing, and its error says what to do."""
    monkeypatch.setattr(turns, "TURN_SECONDS_MAX", 0)
    async with turns.turn(new_database):
        with pytest.raises(UpgradeUnderWay, match="another upgrade has been running for 0 s"):
            await migrate.upgrade(new_database)
    assert await version_of(new_database) is None
    assert await migrate.upgrade(new_database) == (None, HEAD)


@on_servers
async def test_an_upgrade_that_lost_its_turn_stops(
    new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been suspended for longer than its lease; the other one goes on."""

    async def work() -> None:
        async with turns.turn(new_database):
            await execute(new_database, "UPDATE leases SET holder = 'another'")
            await asyncio.Event().wait()

    monkeypatch.setattr(turns, "hold_lease", partial(hold_lease, renew_seconds=0.01))
    with pytest.raises(UpgradeUnderWay, match="another upgrade has taken over"):
        await work()


@on_servers
async def test_an_upgrade_holds_up_no_report_behind_a_long_reader(
    new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of a table waits for its readers, and every write of a result would wait behind it."""
    monkeypatch.setattr(migrate, "TABLES_PAUSE_SECONDS", 0.1)
    await migrate.upgrade(new_database)
    for statement in ("DROP COLUMN display_name", "DROP COLUMN error_kind"):
        await execute(new_database, f"ALTER TABLE job_results {statement}")
    await execute(new_database, "UPDATE alembic_version SET version_num = '0001'")
    async with new_database.engine.begin() as reader:
        await reader.execute(text("SELECT * FROM job_results"))
        upgrade = asyncio.create_task(migrate.upgrade(new_database))
        await wait_until(partial(_waits_for_a_table, new_database))
        await execute(new_database, "DELETE FROM job_results WHERE batch_key = 0")
        assert not upgrade.done()
    assert await upgrade == ("0001", HEAD)
    assert await _differences_to_schema(new_database) == []


async def _waits_for_a_table(database: Database) -> bool:
    waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table meta%'"
    return bool(await scalar(database, waiting))


@on_servers
async def test_an_upgrade_gives_up_on_a_table_that_stays_in_use(
    new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TABLES_SECONDS_MAX", 0)
    await migrate.upgrade(new_database)
    await execute(new_database, "ALTER TABLE job_results DROP COLUMN error_kind")
    await execute(new_database, "UPDATE alembic_version SET version_num = '0001'")
    async with new_database.engine.begin() as reader:
        await reader.execute(text("SELECT * FROM job_results"))
        with pytest.raises(TablesInUse, match="SHOW PROCESSLIST"):
            await migrate.upgrade(new_database)


@on_servers
async def test_tables_are_created_where_the_default_row_format_is_compact(
    own_server: DatabaseServer, new_database: Database
) -> None:
    """Its index keys end at 767 bytes, and one of ours is longer."""
    assert own_server.port == new_database.engine.sync_engine.url.port
    await execute(new_database, "SET GLOBAL innodb_default_row_format = COMPACT")
    try:
        await migrate.upgrade(new_database)
    finally:
        await execute(new_database, "SET GLOBAL innodb_default_row_format = DYNAMIC")
    assert await _differences_to_schema(new_database) == []


async def test_two_versions_are_one_sentence(new_database: Database) -> None:
    """Servers and upgrades say how to mend what two upgrades on different nodes have left."""
    await migrate.upgrade(new_database)
    await execute(new_database, "INSERT INTO alembic_version VALUES ('0003')")
    for refused in (migrate.upgrade, migrate.require_usable):
        with pytest.raises(SchemaMismatch, match=f"versions 0003 and {HEAD} instead of one"):
            await refused(new_database)
    await execute(new_database, "DELETE FROM alembic_version WHERE version_num <> '0003'")
    assert await migrate.upgrade(new_database) == ("0003", HEAD)


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
