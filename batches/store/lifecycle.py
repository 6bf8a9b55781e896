"""Creates, extends, seals and cancels batches: lock a batch, change it by the pure rules, save it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from batches.batch import Batch, BatchState
from batches.errors import BatchNotFound, RequestConflict
from batches.new_batch import Creation, NewBatch
from batches.store import retention, schema
from batches.store.connections import AsyncConnection
from batches.store.locking import lock_batch
from batches.store.rows import insert_batch, read_batch, save_batches, to_failure_limit
from batches.store.sql_functions import database_now


async def create_batch(connection: AsyncConnection, new: NewBatch) -> Batch:
    """Insert a batch, or return the existing one that was created with the same numbers.

    Raises:
        BatchConflict: a batch of this id exists and was created with other numbers or another limit.
        BatchEnded: a batch of this id has ended, and if_ended is ERROR.

    """
    existing = await _read_creation(connection, new.batch_id)
    if existing is not None:
        if not new.replaces(existing):
            with suppress(BatchNotFound):  # deleted since: then it is created
                return await read_batch(connection, new.batch_id)
        # None is left to purge if another caller has replaced it meanwhile.
        await retention.purge(connection, await retention.lock_existing(connection, [existing.batch_key]))
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    try:
        # Without a savepoint: a deadlock releases it, and rolling back to it then would hide the deadlock.
        await insert_batch(connection, new.created(now), new.request_id, new.notify_url)
    except IntegrityError:  # another caller was first; only the statement is rolled back
        if await _read_creation(connection, new.batch_id) is None:
            raise
        return await create_batch(connection, new)
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
    await save_batches(connection, [before], [after])
    return after


async def change_batch(connection: AsyncConnection, batch_id: str, change: Callable[[Batch], Batch]) -> Batch:
    """Lock a batch, change it by a pure rule and save it if it changed.

    Raises:
        BatchNotFound: there is no such batch; and whatever the rule raises.

    """
    before = await lock_batch(connection, batch_id)
    after = change(before)
    if after is not before:
        await save_batches(connection, [before], [after])
    return after


async def _read_creation(connection: AsyncConnection, batch_id: str) -> Creation | None:
    table = schema.batches.c
    query = select(
        table.batch_key,
        table.created_total_jobs,
        table.created_sealed,
        table.request_id,
        table.state,
        table.complete_time,
        table.failure_limit_jobs,
        table.failure_limit_percent,
    ).where(table.batch_id == batch_id)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return Creation(
        batch_key=row.batch_key,
        total_jobs=row.created_total_jobs,
        sealed=row.created_sealed,
        request_id=row.request_id,
        state=BatchState(row.state),
        complete_time=row.complete_time,
        failure_limit=to_failure_limit(row.failure_limit_jobs, row.failure_limit_percent),
    )
