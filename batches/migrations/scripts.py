"""Runs the migrations with alembic. Its import takes a fifth of a second, so only an upgrade imports this."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, inspect

from batches.migrations import programs

VERSION_TABLE = "alembic_version"


def all_scripts() -> list[Script]:
    """Return this program's migrations, the newest first."""
    return list(ScriptDirectory.from_config(_config()).walk_revisions())


def oldest_program(script: Script) -> str:
    """Return the oldest version whose programs run on the schema of a migration."""
    return str(script.module.oldest_program)


def run(connection: Connection) -> None:
    """Upgrade the schema to the newest migration."""
    _create_version_table(connection)
    command.upgrade(_config(connection), "head")
    newest = all_scripts()[0]
    # Last: until it is written, no older program starts on the new schema.
    programs.write(connection, newest.revision, oldest_program(newest))


def _create_version_table(connection: Connection) -> None:
    """Create alembic's table as alembic does, but in a way that may run on two nodes, and without a warning.

    MariaDB warns of the name that alembic gives the primary key.
    """
    if connection.dialect.name != "sqlite" and not inspect(connection).has_table(VERSION_TABLE):
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE}"
            " (version_num VARCHAR(32) NOT NULL, PRIMARY KEY (version_num))"
        )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
