"""Recognises the tables of another application, which an upgrade must not touch."""

import re

from sqlalchemy import Connection, inspect

from batches.errors import SchemaMismatch
from batches.store import schema

OWN_VERSION = re.compile(r"\d{4}")
REMEDY = "give Batch Progress a database of its own, and name it in BATCHES_DATABASE_URL"


def require_own(connection: Connection, version: str | None) -> None:
    """Check that a schema that is not this program's newest is one of this program.

    Args:
        connection: to the database.
        version: the version in alembic_version; None if there is none.

    Raises:
        SchemaMismatch: a table of that name belongs to another application.

    """
    inspector = inspect(connection)
    names = schema.metadata.tables.keys() & set(inspector.get_table_names())
    if version is not None and (OWN_VERSION.fullmatch(version) is None or schema.batches.name not in names):
        raise SchemaMismatch(
            f"its table alembic_version belongs to another application (version {version}): {REMEDY}"
        )
    for name in sorted(names):
        existing = {one["name"] for one in inspector.get_columns(name)}
        missing = sorted(_first_columns(name) - existing)
        if missing:
            raise SchemaMismatch(
                f"its table {name} belongs to another application (it has no column {missing[0]}): {REMEDY}"
            )


def _first_columns(name: str) -> set[str]:
    """Return the columns that a table has had from its first version on: later ones are nullable."""
    return {column.name for column in schema.metadata.tables[name].columns if not column.nullable}
