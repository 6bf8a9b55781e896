"""Purges batches: they do not exist from then on, and their other rows are deleted later, in chunks.

A batch is purged when it ended long ago, when another one replaces it, or when somebody asks for it.
A purge deletes the row of a batch first and notes that its other rows are still to be deleted. From then
on the batch does not exist for readers and reports, so nothing touches the rows that are being deleted,
and the next pass continues a deletion that was interrupted.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from batches.errors import BatchProcessing
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.deletion import delete_first_rows
from batches.store.locking import lock_batches

CHUNK_BATCHES = 100
"""Batches purged in one transaction."""


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
        await delete_first_rows(connection, batch.batch_key)


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
