"""Keeps the newest look of the reconciler at each batch that it left open, with its first pending jobs.

The batch is locked, so that looks, repairs and the end of the batch follow each other; a report never reads
or writes a look. A look at a batch that has got a result since is kept until the next one, and ignored.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, insert, or_, select, update

from batches.clock import lies_ahead
from batches.listing import Page
from batches.look import LastLook, Look, PendingJob, PendingPage, last_look
from batches.stall import Findings
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.listings import page_of
from batches.store.locking import lock_batch
from batches.store.passes import read_last_pass_time
from batches.store.rows import read_batch
from batches.store.script import Statement, marks
from batches.store.stuck import tell_stuck

_looks = schema.looks.c
_jobs = schema.pending_jobs.c
_results = schema.job_results.c


async def record_look(connection: AsyncConnection, look: Look) -> None:
    """Keep a look in place of the one before; keep nothing if the batch has ended or been replaced."""
    batch = await lock_batch(connection, look.batch_id)
    if look.batch_key not in {None, batch.batch_key}:
        return
    if batch.has_ended:
        return
    key = batch.batch_key
    before = (await _read_looks(connection, [key])).get(key)
    new = last_look(look, batch, before)
    values = _values(new)
    if before is None:
        await connection.execute(insert(schema.looks).values(batch_key=key, **values))
    else:
        await connection.execute(update(schema.looks).where(_looks.batch_key == key).values(values))
    if look.pending is not None:
        await _replace_jobs(connection, key, look.pending.first_jobs)
    if look.stuck_after_seconds is not None:
        await tell_stuck(connection, batch, new, look.stuck_after_seconds)


async def read_findings(connection: AsyncConnection, keys: Collection[int]) -> dict[int, Findings]:
    """Return what the reconciler found about each of these batches, by batch_key."""
    looks = await _read_looks(connection, keys)
    last_pass_time = await read_last_pass_time(connection)
    return {key: Findings(looks.get(key), last_pass_time) for key in keys}


async def list_pending_jobs(
    connection: AsyncConnection, batch_id: str, *, after_job_id: str | None, size: int
) -> PendingPage:
    """Return a page of the jobs that were pending at the newest look, in ascending byte order of job_id.

    A job whose result was recorded since is left out, and one with a result of its pending attempt: it was
    recorded while the pass read the queue's list.
    """
    batch = await read_batch(connection, batch_id)
    look = (await _read_looks(connection, [batch.batch_key])).get(batch.batch_key)
    if look is not None and lies_ahead(look.look_time, batch.read_time):
        look = None
    if look is None or look.pending_time is None or batch.has_ended:
        return PendingPage(Page([], None), look if look and not batch.has_ended else None)
    query = (
        select(schema.pending_jobs)
        .where(_jobs.batch_key == batch.batch_key, ~_has_result(look.pending_time))
        .order_by(_jobs.job_id)
        .limit(size + 1)
    )
    if after_job_id is not None:
        query = query.where(_jobs.job_id > after_job_id)
    jobs = [_to_job(row) for row in await connection.execute(query)]
    page = page_of(jobs, [job.job_id for job in jobs], size)
    return PendingPage(page, look if look.is_newer_than(batch, batch.read_time) else None)


def _has_result(since: datetime) -> ColumnElement[bool]:
    return exists().where(
        _results.batch_key == _jobs.batch_key,
        _results.job_id == _jobs.job_id,
        or_(_results.attempt >= _jobs.attempt, _results.record_time >= since),
    )


def deleting_looks(keys: Collection[int]) -> list[Statement]:
    """Return the statements that delete the looks at batches, and their pending jobs."""
    tables = (schema.looks, schema.pending_jobs) if keys else ()
    return [
        Statement(f"DELETE FROM {table.name} WHERE batch_key IN ({marks(keys)})", list(keys))  # noqa: S608
        for table in tables
    ]


async def _read_looks(connection: AsyncConnection, keys: Collection[int]) -> dict[int, LastLook]:
    query = select(schema.looks).where(_looks.batch_key.in_(keys))
    return {row.batch_key: _to_look(row) for row in await connection.execute(query)}


async def _replace_jobs(connection: AsyncConnection, key: int, jobs: Iterable[PendingJob]) -> None:
    """Write the differences only: the jobs of a batch that does not move are the same in every look."""
    rows = await connection.execute(select(schema.pending_jobs).where(_jobs.batch_key == key))
    before = {_to_job(row) for row in rows}
    after = set(jobs)
    if gone := [job.job_id for job in before - after]:
        await connection.execute(
            delete(schema.pending_jobs).where(_jobs.batch_key == key, _jobs.job_id.in_(gone))
        )
    if new := [{"batch_key": key, **asdict(job)} for job in after - before]:
        await connection.execute(insert(schema.pending_jobs), new)


def _to_job(row: Row[Any]) -> PendingJob:
    return PendingJob(row.job_id, row.display_name, row.attempt)


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
        needs_person=bool(row.needs_person),
    )
