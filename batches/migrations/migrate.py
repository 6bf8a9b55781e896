"""Upgrades the schema, one upgrade at a time, and checks it when a server starts."""

from pathlib import Path
from typing import TypeGuard

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import DatabaseUnavailable, SchemaMismatch, UpgradeUnderWay
from batches.migrations import programs
from batches.store.database import Database

LOCK_NAME = "batchprogress-migrations"
LOCK_SECONDS_MAX = 60
"""How long an upgrade waits for another one. Adding a column to a large table takes minutes, but after this
time a person should look; the migration Job is retried anyway."""


def head_version() -> str:
    """Return the schema version of this program."""
    return str(_scripts().get_current_head())


def all_versions() -> list[Script]:
    """Return this program's migrations, the newest first."""
    return list(_scripts().walk_revisions())


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
            await connection.run_sync(_upgrade)
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
    return MigrationContext.configure(connection).get_current_revision()


def _is_newer(version: str | None) -> TypeGuard[str]:
    return version is not None and version not in {script.revision for script in all_versions()}


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")
    # Last: until it is written, no older program starts on the new schema.
    programs.write(connection, all_versions()[0])


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
