"""Upgrades, one at a time, and the check that every server makes when it starts."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import DatabaseUnavailable, SchemaMismatch, UpgradeUnderWay
from batches.store.database import Database

LOCK_NAME = "batchprogress-migrations"
LOCK_SECONDS_MAX = 60
"""How long an upgrade waits for another one: adding a column to a large table takes minutes, but then a
person should look, and the migration Job is tried again anyway."""


def head_version() -> str:
    """Return the schema version this program is made for."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


async def current_version(database: Database) -> str | None:
    """Return the schema version the database has; None for an empty one."""

    async def read(connection: AsyncConnection) -> str | None:
        return await connection.run_sync(_version)

    return await database.read(read)


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the schema to this program's version; return the version before and after.

    MySQL commits each DDL statement by itself and alembic has no lock of its own: a named
    lock of the server goes around it. SQLite is locked by the transaction.

    Raises:
        DatabaseUnavailable: the database does not answer.
        UpgradeUnderWay: another one runs.
        SchemaMismatch: the database is ahead of this program.

    """
    try:
        async with database.migration() as connection:
            await _lock(connection, is_sqlite=database.is_sqlite)
            before = await connection.run_sync(_version)
            _refuse_unknown(before)
            await connection.run_sync(_upgrade)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailable from error
    return before, head_version()


async def require_head(database: Database) -> None:
    """Raise SchemaMismatch, with what to do, unless the schema is this program's."""
    version = await current_version(database)
    _refuse_unknown(version)
    if version != head_version():
        state = "has no tables yet" if version is None else f"has schema {version}"
        raise SchemaMismatch(
            f"the database {state}, this version needs {head_version()}: run `python -m batches upgrade`"
        )


def _refuse_unknown(version: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise SchemaMismatch(
            f"the database has schema {version}, which this version does not know: it was upgraded by a"
            " newer version; run that one"
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


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
