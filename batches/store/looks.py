"""Keeps the newest look of the reconciler at each batch that it left open, with its first pending jobs.

The batch is locked, so that looks, repairs and the end of the batch follow each other; a report never reads
or writes a look. A look at a batch that has got a result since is kept until the next one, and ignored.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.look import LastLook, Look, PendingJob, last_look
from batches.store import schema
from batches.store.rows import lock_batch

_looks = schema.looks.c
_jobs = schema.pending_jobs.c


async def record_look(connection: AsyncConnection, look: Look) -> None:
    """Keep a look in place of the one before; keep nothing if the batch has ended meanwhile."""
    batch = await lock_batch(connection, look.batch_id)
    if batch.has_ended:
        return
    key = batch.batch_key
    before = (await read_looks(connection, [key])).get(key)
    values = _values(last_look(look, batch, before))
    if before is None:
        await connection.execute(insert(schema.looks).values(batch_key=key, **values))
    else:
        await connection.execute(update(schema.looks).where(_looks.batch_key == key).values(values))
    if look.pending is not None:
        await _replace_jobs(connection, key, look.pending.first_jobs)


async def read_looks(connection: AsyncConnection, keys: Collection[int]) -> dict[int, LastLook]:
    """Return the newest looks at these batches, by batch_key."""
    query = select(schema.looks).where(_looks.batch_key.in_(keys))
    return {row.batch_key: _to_look(row) for row in await connection.execute(query)} if keys else {}


async def delete_look(connection: AsyncConnection, batch_key: int) -> None:
    """Delete the look at a batch, and its pending jobs."""
    for table in (schema.looks, schema.pending_jobs):
        await connection.execute(delete(table).where(table.c.batch_key == batch_key))


async def _replace_jobs(connection: AsyncConnection, key: int, jobs: Iterable[PendingJob]) -> None:
    """Write the differences only: the jobs of a batch that does not move are the same in every look."""
    rows = await connection.execute(select(schema.pending_jobs).where(_jobs.batch_key == key))
    before = {PendingJob(row.job_id, row.display_name, row.attempt) for row in rows}
    after = set(jobs)
    if gone := [job.job_id for job in before - after]:
        await connection.execute(
            delete(schema.pending_jobs).where(_jobs.batch_key == key, _jobs.job_id.in_(gone))
        )
    if new := [{"batch_key": key, **asdict(job)} for job in after - before]:
        await connection.execute(insert(schema.pending_jobs), new)


def _values(look: LastLook) -> dict[str, Any]:
    return {**asdict(look), "reason": look.reason[: schema.REASON_CHARACTERS_MAX]}


def _to_look(row: Row[Any]) -> LastLook:
    return LastLook(
        look_time=row.look_time,
        reason_kind=row.reason_kind,
        reason=row.reason,
        pending_jobs=row.pending_jobs,
        pending_time=row.pending_time,
        unchanged_since=row.unchanged_since,
        lists_jobs=row.lists_jobs,
    )
