"""Runs the migrations with alembic. Its import takes a fifth of a second, so only an upgrade imports this."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from batches.migrations import programs


def all_scripts() -> list[Script]:
    """Return this program's migrations, the newest first."""
    return list(ScriptDirectory.from_config(_config()).walk_revisions())


def oldest_program(script: Script) -> str:
    """Return the oldest version whose programs run on the schema of a migration."""
    return str(script.module.oldest_program)


def run(connection: Connection) -> None:
    """Upgrade the schema to the newest migration."""
    command.upgrade(_config(connection), "head")
    newest = all_scripts()[0]
    # Last: until it is written, no older program starts on the new schema.
    programs.write(connection, newest.revision, oldest_program(newest))


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
