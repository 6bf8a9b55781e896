"""Whether the account of a program may write, before the first result depends on it."""

from collections.abc import Iterator

from sqlalchemy import Executable, Table, delete, false, insert, select, update
from sqlalchemy.exc import DBAPIError

from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.refusals import Refusal, refusal_of

WRITTEN_TABLES = [table for table in schema.metadata.sorted_tables if table is not schema.schema_programs]
"""Only upgrades write the other one."""


async def require_writes(connection: AsyncConnection) -> None:
    """Run statements that write no row. The server refuses one that it would refuse with rows, too.

    A node that is read-only refuses them all: it says nothing about the account, and may become writable.
    """
    if connection.dialect.name == "sqlite":  # which opens a file that it may not write all the same
        await connection.execute(delete(schema.leases).where(false()))
        return
    try:
        for table in WRITTEN_TABLES:
            for statement in _statements(table):
                await connection.execute(statement)
    except DBAPIError as error:
        if refusal_of(error) is not Refusal.ELSEWHERE:
            raise


def _statements(table: Table) -> Iterator[Executable]:
    columns = list(table.primary_key.columns)
    yield insert(table).from_select(list(table.columns), select(table).where(false()))
    yield update(table).where(false()).values({column: column for column in columns})
    yield delete(table).where(false())
