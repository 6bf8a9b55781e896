"""Deletes batches in chunks, so that no transaction touches many rows.

A batch is purged when it ended long ago, when another one replaces it, or when somebody asks for it.
A purge deletes the row of a batch first and notes that its other rows are still to be deleted. From then
on the batch does not exist for readers and reports, so nothing touches the rows that are being deleted,
and the next pass continues a deletion that was interrupted.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.errors import BatchProcessing
from batches.store import schema
from batches.store.rows import lock_batches

CHUNK_BATCHES = 100
"""Batches purged in one transaction."""
CHUNK_ROWS = 2_000
"""The most rows deleted in one transaction: some ten milliseconds of work."""
CHUNK_DETAILS = 200
"""Error details deleted in one transaction: at most some 3 MB, which replicas get too."""

_SMALL_TABLES = (
    schema.failure_groups,
    schema.batch_history,
    schema.batch_labels,
    schema.job_additions,
    schema.repairs,
    schema.looks,
    schema.pending_jobs,
    schema.notify_urls,
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


async def delete_batch(connection: AsyncConnection, batch_id: str) -> None:
    """Purge a batch if it exists, with its webhooks, and delete its first rows: all rows of a small one.

    Raises:
        BatchProcessing: the batch has not ended.

    """
    for batch in await lock_batches(connection, [batch_id]):
        if not batch.has_ended:
            raise BatchProcessing(batch_id)
        await purge(connection, [batch.batch_key])
        # Personal data is gone at once. A purge of an old batch, or of a replaced one, leaves what is not
        # delivered yet: it did happen.
        for webhooks in (schema.events, schema.deliveries):
            await connection.execute(delete(webhooks).where(webhooks.c.batch_key == batch.batch_key))
        await _delete_rows(connection, batch.batch_key, CHUNK_ROWS)


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


async def delete_chunk(connection: AsyncConnection, rows_max: int) -> bool:
    """Delete some rows of a purged batch; return False if none are left."""
    table = schema.deleted_batches.c
    key = await connection.scalar(select(table.batch_key).order_by(table.batch_key).limit(1))
    if key is None:
        return False
    await _delete_rows(connection, key, rows_max)
    return True


async def _delete_rows(connection: AsyncConnection, batch_key: int, rows_max: int) -> None:
    """Delete some rows of a purged batch: its error details, then its results, then everything else."""
    if await _delete_jobs(connection, schema.error_details, batch_key, CHUNK_DETAILS) == CHUNK_DETAILS:
        return
    if await _delete_jobs(connection, schema.job_results, batch_key, rows_max) < rows_max:
        for small in _SMALL_TABLES:
            await connection.execute(delete(small).where(small.c.batch_key == batch_key))


async def _delete_jobs(connection: AsyncConnection, rows: Table, batch_key: int, rows_max: int) -> int:
    """Delete the rows of some jobs of a batch; return their number."""
    table = rows.c
    query = select(table.job_id).where(table.batch_key == batch_key).order_by(table.job_id).limit(rows_max)
    job_ids = (await connection.scalars(query)).all()
    if job_ids:
        # A range, since SQLite has no DELETE … LIMIT and a list of ids would be a long statement.
        await connection.execute(
            delete(rows).where(table.batch_key == batch_key, table.job_id <= job_ids[-1])
        )
    return len(job_ids)
