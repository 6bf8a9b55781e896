"""Creating, growing, sealing and cancelling a batch: lock it, change it by the pure rules, save it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch
from batches.errors import BatchConflict, RequestConflict
from batches.store import schema
from batches.store.rows import insert_batch, lock_batch, read_batch, save_batches
from batches.store.sql_functions import database_now


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What a batch is created with."""

    batch_id: str
    total_jobs: int
    sealed: bool = True
    display_name: str = ""
    labels: dict[str, str] = field(default_factory=dict)


async def create_batch(connection: AsyncConnection, new: NewBatch) -> Batch:
    """Insert a batch, or return the one that exists with the same numbers; raises BatchConflict."""
    existing = await _existing(connection, new)
    if existing is not None:
        return existing
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    try:
        # Without a savepoint: a deadlock takes it along, and rolling back to it then hides the deadlock.
        await insert_batch(connection, _to_batch(new, now))
    except IntegrityError:  # another caller was first; only the statement was undone
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
    """Lock a batch, change it by a pure rule and save it if it changed; raises BatchNotFound."""
    before = await lock_batch(connection, batch_id)
    after = change(before)
    if after is not before:
        await save_batches(connection, [after])
    return after


def _to_batch(new: NewBatch, now: datetime) -> Batch:
    batch = Batch(
        batch_key=0,  # the database gives it
        batch_id=new.batch_id,
        display_name=new.display_name,
        labels=new.labels,
        sealed=new.sealed,
        announced_jobs=new.total_jobs,
        create_time=now,
        read_time=now,
    )
    return batch.with_completion()


async def _existing(connection: AsyncConnection, new: NewBatch) -> Batch | None:
    table = schema.batches.c
    created = (
        await connection.execute(
            select(table.created_total_jobs, table.created_sealed).where(table.batch_id == new.batch_id)
        )
    ).first()
    if created is None:
        return None
    if (created.created_total_jobs, created.created_sealed) != (new.total_jobs, new.sealed):
        raise BatchConflict(new.batch_id, created.created_total_jobs, sealed=created.created_sealed)
    return await read_batch(connection, new.batch_id)
