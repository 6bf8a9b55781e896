"""Which programs may run on which schema: a rollout has old and new servers on one database.

Each migration names the oldest version whose programs still run on its schema, and an upgrade
writes that beside the schema: a program cannot know the versions after its own. Versions are
four digits, so their order is that of the numbers.
"""

from alembic.script import Script
from sqlalchemy import Connection, delete, insert, inspect, select

from batches.store import schema

_table = schema.schema_programs


def oldest_program(script: Script) -> str:
    """Return the oldest version whose programs run on the schema of a migration."""
    return str(script.module.oldest_program)


def write(connection: Connection, script: Script) -> None:
    """Write down which programs run on the schema of a migration, which has just been reached."""
    connection.execute(delete(_table).where(_table.c.schema_version == script.revision))
    values = {"schema_version": script.revision, "oldest_program": oldest_program(script)}
    connection.execute(insert(_table).values(values))


def read(connection: Connection, version: str) -> str | None:
    """Return the oldest version whose programs run on a schema; None if nobody wrote it down."""
    if not inspect(connection).has_table(_table.name):
        return None
    oldest: str | None = connection.scalar(
        select(_table.c.oldest_program).where(_table.c.schema_version == version)
    )
    return oldest


def runs_on(program: str, oldest: str | None) -> bool:
    """Whether a program may run on a newer schema; not on one of which nothing is written down."""
    return oldest is not None and int(oldest) <= int(program)
