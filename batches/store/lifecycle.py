"""Creates, extends, seals and cancels batches: lock a batch, change it by the pure rules, save it."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch, NewBatch
from batches.errors import BatchConflict, RequestConflict
from batches.store import schema
from batches.store.rows import insert_batch, lock_batch, read_batch, save_batches
from batches.store.sql_functions import database_now


async def create_batch(connection: AsyncConnection, new: NewBatch) -> Batch:
    """Insert a batch, or return the existing one that was created with the same numbers.

    Raises:
        BatchConflict: a batch of this id exists and was created with other numbers.

    """
    existing = await _existing(connection, new)
    if existing is not None:
        return existing
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    try:
        # Without a savepoint: a deadlock releases it, and rolling back to it then would hide the deadlock.
        await insert_batch(connection, new.created(now))
    except IntegrityError:  # another caller was first; only the statement is rolled back
        existing = await _existing(connection, new)
        if existing is None:
            raise
        return existing
    return await read_batch(connection, new.batch_id)


async def add_jobs(
    connection: AsyncConnection, batch_id: str, additional_jobs: int, request_id: str
) -> Batch:
    """Raise the total of an unsealed batch, once per request_id.

    Raises:
        BatchNotFound, BatchSealed, BatchCancelled, TotalTooLarge, RequestConflict.

    """
    before = await lock_batch(connection, batch_id)
    table = schema.job_additions.c
    added = await connection.scalar(
        select(table.additional_jobs).where(
            table.batch_key == before.batch_key, table.request_id == request_id
        )
    )
    if added is not None:
        if added != additional_jobs:
            raise RequestConflict(batch_id, request_id, added)
        return before
    after = before.with_jobs_added(additional_jobs)
    addition = {
        "batch_key": before.batch_key,
        "request_id": request_id,
        "additional_jobs": additional_jobs,
    }
    await connection.execute(insert(schema.job_additions).values(addition))
    await save_batches(connection, [after])
    return after


async def change_batch(connection: AsyncConnection, batch_id: str, change: Callable[[Batch], Batch]) -> Batch:
    """Lock a batch, change it by a pure rule and save it if it changed.

    Raises:
        BatchNotFound: there is no such batch; and whatever the rule raises.

    """
    before = await lock_batch(connection, batch_id)
    after = change(before)
    if after is not before:
        await save_batches(connection, [after])
    return after


async def _existing(connection: AsyncConnection, new: NewBatch) -> Batch | None:
    table = schema.batches.c
    query = select(table.created_total_jobs, table.created_sealed).where(table.batch_id == new.batch_id)
    created = (await connection.execute(query)).first()
    if created is None:
        return None
    if (created.created_total_jobs, created.created_sealed) != (new.total_jobs, new.sealed):
        raise BatchConflict(new.batch_id, created.created_total_jobs, sealed=created.created_sealed)
    return await read_batch(connection, new.batch_id)
