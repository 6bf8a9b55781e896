"""Upgrades the schema, one upgrade at a time, and checks it when a server starts."""

from pathlib import Path
from typing import TypeGuard

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import DatabaseUnavailable, SchemaMismatch, UpgradeUnderWay
from batches.migrations import programs
from batches.store.database import Database

LOCK_NAME = "batchprogress-migrations"
LOCK_SECONDS_MAX = 60
"""How long an upgrade waits for another one. Adding a column to a large table takes minutes, but after this
time a person should look; the migration Job is retried anyway."""


VERSIONS = Path(__file__).parent / "versions"


def head_version() -> str:
    """Return the schema version of this program."""
    return max(_known_versions())


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Upgrade the schema to this program's version.

    A newer schema stays as it is if this program runs on it, so that a release can be rolled back with
    the same steps as it was rolled out. MySQL commits each DDL statement separately and alembic has no
    lock of its own, so the upgrade holds a named lock of the server. SQLite is locked by the transaction.

    Returns:
        The version before, None for an empty database, and the version after.

    Raises:
        DatabaseUnavailable: the database does not answer, or refuses the connection.
        UpgradeUnderWay: another upgrade is running.
        SchemaMismatch: the schema is newer, and this program cannot run on it.

    """
    try:
        async with database.migration() as connection:
            await _lock(connection, is_sqlite=database.is_sqlite)
            before = await connection.run_sync(_version)
            if _is_newer(before):
                await connection.run_sync(_require_runs_on, before)
                return before, before
            if not await connection.run_sync(_is_upgraded, before):
                from batches.migrations import scripts  # noqa: PLC0415  # for its import of alembic

                await connection.run_sync(scripts.run)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailable from error
    return before, head_version()


async def require_usable(database: Database) -> None:
    """Check that this program runs on the schema: on its own version, or a newer one that allows it.

    Raises:
        DatabaseUnavailable: the database does not answer, or refuses the connection.
        SchemaMismatch: this program cannot run on the schema.

    """

    async def check(connection: AsyncConnection) -> None:
        await connection.run_sync(_require_usable)

    await database.read(check)


def _require_usable(connection: Connection) -> None:
    version = _version(connection)
    if _is_newer(version):
        _require_runs_on(connection, version)
    elif version != head_version():
        state = "has no tables" if version is None else f"has schema {version}"
        raise SchemaMismatch(
            f"the database {state}, but this version needs schema {head_version()}:"
            " run `python -m batches upgrade`"
        )


def _require_runs_on(connection: Connection, version: str) -> None:
    """Raise SchemaMismatch unless this program runs on this newer schema."""
    if not programs.runs_on(head_version(), programs.read(connection, version)):
        raise SchemaMismatch(
            f"the database has schema {version}, on which this version (schema {head_version()}) cannot run:"
            " run the newer version that upgraded it"
        )


async def _lock(connection: AsyncConnection, *, is_sqlite: bool) -> None:
    """Acquire the lock, which is released when the connection, used for one upgrade only, is closed."""
    if is_sqlite:
        return
    acquired = await connection.scalar(
        text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK_NAME, "seconds": LOCK_SECONDS_MAX}
    )
    if acquired != 1:
        raise UpgradeUnderWay(
            f"another upgrade has been running for {LOCK_SECONDS_MAX} s: wait until it ends, then try again"
        )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _known_versions() -> set[str]:
    """Return the versions of all migrations, which their file names begin with."""
    return {path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py")}


def _is_newer(version: str | None) -> TypeGuard[str]:
    return version is not None and version not in _known_versions()


def _is_upgraded(connection: Connection, version: str | None) -> bool:
    """Return whether an upgrade to this program's version has run to its end."""
    return version == head_version() and programs.read(connection, version) is not None
