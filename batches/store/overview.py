"""Reads totals over all batches for metrics; the cost of each query is bounded."""

import math
from datetime import datetime, timedelta

from sqlalchemy import Select, func, or_, select

from batches.batch import BatchState
from batches.clock import AHEAD_SECONDS_MAX
from batches.overview import Overview
from batches.store import schema
from batches.store.column_types import UtcTime
from batches.store.connections import AsyncConnection
from batches.store.passes import read_clock_jump_seconds, read_last_pass_time
from batches.store.sql_functions import database_now

COUNTED_BATCHES_MAX = 100_000
"""The count of a state stops here: counting this many reads an index for some 20 ms."""
EXAMINED_BATCHES_MAX = 10_000
"""Batches in PROCESSING that are examined, the oldest first, since stuck batches are old."""
EXAMINED_REPAIRS_MAX = 1_000
"""The count of recent repairs stops here."""
RECENT_SECONDS = 3_600

_batches = schema.batches.c
_looks = schema.looks.c
_repairs = schema.repairs.c


async def read_overview(connection: AsyncConnection, stuck_after_seconds: float) -> Overview:
    """Return totals over all batches, by the database's clock."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    counts = {state: await _count(connection, state) for state in BatchState}
    stuck, oldest_seconds = await _read_silence(connection, now, stuck_after_seconds)
    last_pass_time = await read_last_pass_time(connection)
    pass_seconds = math.inf if last_pass_time is None else max(0.0, (now - last_pass_time).total_seconds())
    need_person = await _count_for_persons(connection, now)
    repairs, jobs = await _read_recent_repairs(connection, now)
    jump_seconds = await read_clock_jump_seconds(connection)
    return Overview(counts, stuck, oldest_seconds, pass_seconds, need_person, repairs, jobs, jump_seconds)


async def _count(connection: AsyncConnection, state: BatchState) -> int:
    some = select(_batches.batch_key).where(_batches.state == int(state)).limit(COUNTED_BATCHES_MAX)
    return await connection.scalar(select(func.count()).select_from(some.subquery())) or 0


async def _read_silence(
    connection: AsyncConnection, now: datetime, stuck_after_seconds: float
) -> tuple[int, float]:
    """Return the number of stuck batches, and the longest silence in seconds."""
    examined = _examined().subquery().c
    oldest: datetime | None = await connection.scalar(select(func.min(examined.quiet_since)))
    if oldest is None:
        return 0, 0.0
    horizon = now - timedelta(seconds=stuck_after_seconds)
    is_stuck = or_(examined.quiet_since < horizon, examined.quiet_since > _ahead(now))
    stuck = await connection.scalar(select(func.count()).where(is_stuck))
    return stuck or 0, max(0.0, (now - oldest).total_seconds())


def _examined() -> Select[tuple[int, datetime]]:
    """Select the oldest batches in PROCESSING, and when each has got its last result."""
    quiet_since = func.coalesce(_batches.last_result_time, _batches.create_time, type_=UtcTime())
    return (
        select(_batches.batch_key, quiet_since.label("quiet_since"))
        .where(_batches.state == int(BatchState.PROCESSING))
        .order_by(_batches.batch_key)
        .limit(EXAMINED_BATCHES_MAX)
    )


async def _count_for_persons(connection: AsyncConnection, now: datetime) -> int:
    """Count the batches that need a person; a look before the last result says nothing any more.

    Which look counts is the rule of LastLook.is_newer_than.
    """
    examined = _examined().subquery()
    query = (
        select(func.count())
        .select_from(examined.join(schema.looks, _looks.batch_key == examined.c.batch_key))
        .where(
            _looks.needs_person.is_(True),
            _looks.look_time <= _ahead(now),
            or_(_looks.look_time >= examined.c.quiet_since, examined.c.quiet_since > _ahead(now)),
        )
    )
    return await connection.scalar(query) or 0


def _ahead(now: datetime) -> datetime:
    """Return the time after which a stored time is one from before the clock was set back."""
    return now + timedelta(seconds=AHEAD_SECONDS_MAX)


async def _read_recent_repairs(connection: AsyncConnection, now: datetime) -> tuple[int, int]:
    """Return the number of recent repairs, and the number of jobs that they ended."""
    ended_after = _repairs.succeeded_jobs_after + _repairs.failed_jobs_after + _repairs.skipped_jobs_after
    ended_before = _repairs.succeeded_jobs_before + _repairs.failed_jobs_before + _repairs.skipped_jobs_before
    newest = (
        select(_repairs.repair_time, (ended_after - ended_before).label("jobs"))
        .order_by(_repairs.repair_key.desc())
        .limit(EXAMINED_REPAIRS_MAX)
        .subquery()
    ).c
    recent = select(func.count(), func.coalesce(func.sum(newest.jobs), 0)).where(
        newest.repair_time > now - timedelta(seconds=RECENT_SECONDS)
    )
    repairs, jobs = (await connection.execute(recent)).one()
    return repairs, int(jobs)
