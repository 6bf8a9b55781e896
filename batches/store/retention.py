"""Deleting batches that ended long ago, in chunks, so that no statement holds many rows.

The batch row goes first, with a note that its other rows are still to go: from then on the
batch is unknown, no report can touch what is being deleted, and a deletion that was cut
short is taken up by the next pass.
"""

from datetime import timedelta

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.store import schema
from batches.store.sql_functions import database_now

CHUNK_BATCHES = 100
"""Batches forgotten in one transaction."""
CHUNK_ROWS = 2_000
"""Rows deleted in one transaction: some ten milliseconds' work."""


async def forget_ended(connection: AsyncConnection, retention_seconds: float) -> int:
    """Forget some batches that ended longer ago than that; return how many."""
    table = schema.batches.c
    now = (await connection.execute(select(database_now()))).scalar_one()
    old = (
        select(table.batch_key)
        .where(table.complete_time < now - timedelta(seconds=retention_seconds))
        .order_by(table.complete_time)
        .limit(CHUNK_BATCHES)
    )
    keys = await _locked(connection, list((await connection.scalars(old)).all()))
    if keys:
        await connection.execute(insert(schema.deleted_batches), [{"batch_key": key} for key in keys])
        await connection.execute(delete(schema.batches).where(table.batch_key.in_(keys)))
    return len(keys)


async def _locked(connection: AsyncConnection, keys: list[int]) -> list[int]:
    """Lock the batches in the order reports lock them; return those not forgotten by another pass."""
    table = schema.batches.c
    locked = select(table.batch_key).where(table.batch_key.in_(keys)).order_by(table.batch_key)
    return list((await connection.scalars(locked.with_for_update())).all()) if keys else []


async def delete_chunk(connection: AsyncConnection) -> bool:
    """Delete some rows of one forgotten batch; False if there is nothing left to delete."""
    table = schema.deleted_batches.c
    key = await connection.scalar(select(table.batch_key).order_by(table.batch_key).limit(1))
    if key is None:
        return False
    if not await _delete_results(connection, key):
        for small in (schema.batch_labels, schema.job_additions, schema.repairs):
            await _delete_of(connection, small, key)
        await _delete_of(connection, schema.deleted_batches, key)
    return True


async def _delete_results(connection: AsyncConnection, batch_key: int) -> bool:
    table = schema.job_results.c
    jobs = list(
        (
            await connection.scalars(
                select(table.job_id)
                .where(table.batch_key == batch_key)
                .order_by(table.job_id)
                .limit(CHUNK_ROWS)
            )
        ).all()
    )
    if jobs:
        # A range instead of a list of names: no DELETE ... LIMIT in SQLite, and half the text.
        await connection.execute(
            delete(schema.job_results).where(table.batch_key == batch_key, table.job_id <= jobs[-1])
        )
    return bool(jobs)


async def _delete_of(connection: AsyncConnection, table: Table, batch_key: int) -> None:
    await connection.execute(delete(table).where(table.c.batch_key == batch_key))
