"""Which programs can run on which schema: during a rollout, old and new servers share one database.

Each migration names the oldest version whose programs still run on its schema. An upgrade stores
that in the database, since a program cannot know the versions after its own. Versions have four
digits, so they are compared as numbers.
"""

from sqlalchemy import Connection, delete, insert, inspect, select

from batches.store import schema

_table = schema.schema_programs


def write(connection: Connection, version: str, oldest_program: str) -> None:
    """Store which programs run on a schema that has just been reached."""
    connection.execute(delete(_table).where(_table.c.schema_version == version))
    values = {"schema_version": version, "oldest_program": oldest_program}
    connection.execute(insert(_table).values(values))


def read(connection: Connection, version: str) -> str | None:
    """Return the oldest version whose programs run on a schema; None if the database does not say."""
    if not inspect(connection).has_table(_table.name):
        return None
    oldest: str | None = connection.scalar(
        select(_table.c.oldest_program).where(_table.c.schema_version == version)
    )
    return oldest


def runs_on(program: str, oldest: str | None) -> bool:
    """Return whether a program runs on a newer schema, given the oldest program that the database names."""
    return oldest is not None and int(oldest) <= int(program)
