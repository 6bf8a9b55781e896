"""Upgrades, one at a time, and the check that every server makes when it starts."""

from pathlib import Path

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
"""How long an upgrade waits for another one: adding a column to a large table takes minutes, but then a
person should look, and the migration Job is tried again anyway."""


def head_version() -> str:
    """Return the schema version this program is made for."""
    return str(_scripts().get_current_head())


def all_versions() -> list[Script]:
    """Return this program's migrations, the newest first."""
    return list(_scripts().walk_revisions())


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the schema to this program's version, or leave a newer one; return the version before and after.

    A newer one is left, if this program runs on it, so that a release can be taken back with
    the same steps as it came. MySQL commits each DDL statement by itself and alembic has no
    lock of its own: a named lock of the server goes around it. SQLite is locked by the
    transaction.

    Raises:
        DatabaseUnavailable: the database does not answer.
        UpgradeUnderWay: another one runs.
        SchemaMismatch: the database is ahead of this program, which cannot run on it.

    """
    try:
        async with database.migration() as connection:
            await _lock(connection, is_sqlite=database.is_sqlite)
            before = await connection.run_sync(_version)
            if before is not None and before not in _known_versions():
                await connection.run_sync(_require_runs_on, before)
                return before, before
            await connection.run_sync(_upgrade)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailable from error
    return before, head_version()


async def require_usable(database: Database) -> None:
    """Raise SchemaMismatch, with what to do, unless this program runs on the schema.

    It does on its own, and on a newer one that says so.
    """

    async def check(connection: AsyncConnection) -> None:
        await connection.run_sync(_require_usable)

    await database.read(check)


def _require_usable(connection: Connection) -> None:
    version = _version(connection)
    if version is not None and version not in _known_versions():
        _require_runs_on(connection, version)
    elif version != head_version():
        state = "has no tables yet" if version is None else f"has schema {version}"
        raise SchemaMismatch(
            f"the database {state}, this version needs {head_version()}: run `python -m batches upgrade`"
        )


def _require_runs_on(connection: Connection, version: str) -> None:
    """Raise SchemaMismatch unless this program runs on the schema of a newer one."""
    if not programs.runs_on(head_version(), programs.read(connection, version)):
        raise SchemaMismatch(
            f"the database has schema {version}, on which this version (schema {head_version()}) cannot run:"
            " it was upgraded by a newer version; run that one"
        )


async def _lock(connection: AsyncConnection, *, is_sqlite: bool) -> None:
    """Take the lock; it is free again when the connection, which serves one upgrade only, is closed."""
    if is_sqlite:
        return
    got = await connection.scalar(
        text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK_NAME, "seconds": LOCK_SECONDS_MAX}
    )
    if got != 1:
        raise UpgradeUnderWay(f"another upgrade has been running for {LOCK_SECONDS_MAX} s: try again later")


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known_versions() -> set[str]:
    return {script.revision for script in all_versions()}


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")
    # Last: until it is written no older program starts on the new schema.
    programs.write(connection, all_versions()[0])


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
