"""Purges batches that ended long ago, in chunks, so that no transaction touches many rows.

A batch is purged when it ended long ago, or when another one replaces it.
A purge deletes the row of a batch first and notes that its other rows are still to be deleted. From then
on the batch does not exist for readers and reports, so nothing touches the rows that are being deleted,
and the next pass continues a deletion that was interrupted.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.store import schema

CHUNK_BATCHES = 100
"""Batches purged in one transaction."""
CHUNK_ROWS = 2_000
"""Rows deleted in one transaction: some ten milliseconds of work."""

_SMALL_TABLES = (
    schema.failure_groups,
    schema.batch_labels,
    schema.job_additions,
    schema.repairs,
    schema.looks,
    schema.pending_jobs,
    schema.deleted_batches,
)
"""Tables with few rows of each batch; the last one says that there is something to delete."""


async def purge_ended(connection: AsyncConnection, ended_before: datetime) -> int:
    """Purge some batches that ended before that time; return their number."""
    table = schema.batches.c
    old = (
        select(table.batch_key)
        .where(table.complete_time < ended_before)
        .order_by(table.complete_time)
        .limit(CHUNK_BATCHES)
    )
    keys = await lock_existing(connection, (await connection.scalars(old)).all())
    await purge(connection, keys)
    return len(keys)


async def purge(connection: AsyncConnection, keys: Sequence[int]) -> None:
    """Purge locked batches: their ids are free, and their other rows are deleted later, in chunks."""
    if keys:
        await connection.execute(insert(schema.deleted_batches), [{"batch_key": key} for key in keys])
        await connection.execute(delete(schema.batches).where(schema.batches.c.batch_key.in_(keys)))


async def lock_existing(connection: AsyncConnection, keys: Sequence[int]) -> Sequence[int]:
    """Lock batches in the order in which reports lock them; return those not purged by others meanwhile."""
    table = schema.batches.c
    query = select(table.batch_key).where(table.batch_key.in_(keys)).order_by(table.batch_key)
    return (await connection.scalars(query.with_for_update())).all() if keys else []


async def delete_chunk(connection: AsyncConnection) -> bool:
    """Delete some rows of a purged batch; return False if none are left."""
    table = schema.deleted_batches.c
    key = await connection.scalar(select(table.batch_key).order_by(table.batch_key).limit(1))
    if key is None:
        return False
    if not await _delete_results(connection, key):
        for small in _SMALL_TABLES:
            await _delete_of(connection, small, key)
    return True


async def _delete_results(connection: AsyncConnection, batch_key: int) -> bool:
    """Delete some results of a batch; return False if there were none."""
    table = schema.job_results.c
    query = select(table.job_id).where(table.batch_key == batch_key).order_by(table.job_id).limit(CHUNK_ROWS)
    job_ids = (await connection.scalars(query)).all()
    if job_ids:
        # A range, since SQLite has no DELETE … LIMIT and a list of ids would be a long statement.
        await connection.execute(
            delete(schema.job_results).where(table.batch_key == batch_key, table.job_id <= job_ids[-1])
        )
    return bool(job_ids)


async def _delete_of(connection: AsyncConnection, table: Table, batch_key: int) -> None:
    await connection.execute(delete(table).where(table.c.batch_key == batch_key))
