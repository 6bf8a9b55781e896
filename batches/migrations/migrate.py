"""Upgrades the schema, one upgrade at a time, and checks it when a server starts."""

import asyncio
from pathlib import Path
from typing import TypeGuard

import structlog
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from batches.errors import SchemaMismatch, TablesInUse
from batches.migrations import programs
from batches.migrations.foreign import require_own
from batches.migrations.turns import turn
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.refusals import Refusal, refusal_of
from batches.store.rights import require_writes

TABLES_SECONDS_MAX = 600.0
"""How long an upgrade tries to get a table that transactions keep in use: most of them have ended by then."""
TABLES_PAUSE_SECONDS = 5.0
"""Between two tries. Each may hold up reports for a second, and in the pause all of them are recorded."""

VERSIONS = Path(__file__).parent / "versions"

_log = structlog.get_logger()


def head_version() -> str:
    """Return the schema version of this program."""
    return max(_known_versions())


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Upgrade the schema to this program's version.

    A newer schema stays as it is if this program runs on it, so that a release can be rolled back with
    the same steps as it was rolled out. MySQL commits each DDL statement separately and alembic has no
    lock of its own, so upgrades take turns by a lease: it holds on all nodes of a cluster, unlike
    GET_LOCK. SQLite is locked by the transaction.

    Returns:
        The version before, None for an empty database, and the version after.

    Raises:
        DatabaseUnusable: the database refuses the account, or what it has to do.
        DatabaseUnavailable: the database does not answer.
        UpgradeUnderWay: another upgrade is running.
        TablesInUse: another transaction has used a table for too long.
        SchemaMismatch: the schema is newer, and this program cannot run on it, or its version is unclear.

    """
    try:
        if database.is_sqlite:
            versions = await _upgrade_once(database)
            await database.read(require_writes)
            return versions
        before, is_done = await database.read(_read_state)
        if is_done:
            await database.read(require_writes)
            return before, before or head_version()
        async with turn(database):
            await database.read(_read_state)  # waits until this node has applied the upgrade before
            return await _upgrade_patiently(database)
    except SchemaMismatch as error:
        raise _at(database, error) from error
    except (SQLAlchemyError, OSError) as error:
        raise database.unavailable(error) from error


async def _upgrade_patiently(database: Database) -> tuple[str | None, str]:
    """Upgrade; try again while a transaction uses a table, so that reports never wait behind the upgrade."""
    loop = asyncio.get_running_loop()
    end = loop.time() + TABLES_SECONDS_MAX
    while True:
        try:
            return await _upgrade_once(database)
        except DBAPIError as error:
            if refusal_of(error) is not Refusal.CONFLICT:
                raise
            if loop.time() >= end:
                raise TablesInUse(TABLES_SECONDS_MAX) from error
        _log.warning(
            "the upgrade waits for a transaction that uses a table, such as a dump or an open session",
            tries_again_seconds=TABLES_PAUSE_SECONDS,
        )
        await asyncio.sleep(TABLES_PAUSE_SECONDS)


async def _upgrade_once(database: Database) -> tuple[str | None, str]:
    async with database.migration() as connection:
        before, is_done = await _read_state(connection)
        if not is_done:
            from batches.migrations import scripts  # noqa: PLC0415  # for its import of alembic

            await connection.run_sync(scripts.run)
    return before, before if is_done and before else head_version()


async def _read_state(connection: AsyncConnection) -> tuple[str | None, bool]:
    return await connection.run_sync(_state)


def _state(connection: Connection) -> tuple[str | None, bool]:
    """Return the version of the schema, and whether there is nothing to upgrade."""
    version = _own_version(connection)
    if _is_newer(version):
        _require_runs_on(connection, version)
        return version, True
    return version, _is_upgraded(connection, version)


async def require_usable(database: Database) -> None:
    """Check that this program runs on the schema: on its own version, or a newer one that allows it.

    Raises:
        DatabaseUnusable: the database refuses the account.
        DatabaseUnavailable: the database does not answer.
        SchemaMismatch: this program cannot run on the schema.

    """

    async def check(connection: AsyncConnection) -> None:
        await connection.run_sync(_require_usable)

    try:
        await database.read(check)
    except SchemaMismatch as error:
        raise _at(database, error) from error


def _at(database: Database, error: SchemaMismatch) -> SchemaMismatch:
    return SchemaMismatch(f"cannot use {database.place}: {error}")


def _require_usable(connection: Connection) -> None:
    version = _own_version(connection)
    if _is_newer(version):
        _require_runs_on(connection, version)
    elif version != head_version():
        state = "has no tables" if version is None else f"has schema {version}"
        raise SchemaMismatch(
            f"it {state}, but this version needs schema {head_version()}: run `python -m batches upgrade`"
        )


def _require_runs_on(connection: Connection, version: str) -> None:
    """Raise SchemaMismatch unless this program runs on this newer schema."""
    if not programs.runs_on(head_version(), programs.read(connection, version)):
        raise SchemaMismatch(
            f"it has schema {version}, on which this version (schema {head_version()}) cannot run:"
            " run the newer version that upgraded it"
        )


def _own_version(connection: Connection) -> str | None:
    """Return the version of the schema, None for an empty database."""
    version = _version(connection)
    if version != head_version():
        require_own(connection, version)
    return version


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    versions = sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))
    if len(versions) > 1:
        raise SchemaMismatch(
            f"its table alembic_version has the versions {' and '.join(versions)} instead of one: two"
            " upgrades have run at the same time on different nodes. Delete the rows other than"
            f" {versions[0]}, then run `python -m batches upgrade`, which creates what is missing"
        )
    return versions[0] if versions else None


def _known_versions() -> set[str]:
    """Return the versions of all migrations, which their file names begin with."""
    return {path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py")}


def _is_newer(version: str | None) -> TypeGuard[str]:
    return version is not None and version not in _known_versions()


def _is_upgraded(connection: Connection, version: str | None) -> bool:
    """Return whether an upgrade to this program's version has run to its end."""
    return version == head_version() and programs.read(connection, version) is not None
