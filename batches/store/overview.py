"""How all batches are at once: for metrics, in queries whose cost is bounded however many there are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import BatchState
from batches.store import schema
from batches.store.sql_functions import database_now

COUNTED_BATCHES_MAX = 100_000
"""More are told as so many: counting them reads an index, some 20 ms for this number."""
EXAMINED_BATCHES_MAX = 10_000
"""Batches under way that are examined, the oldest first: a stuck one is old."""
EXAMINED_REPAIRS_MAX = 1_000
"""More repairs in an hour than that are told as so many."""
RECENT_SECONDS = 3_600

_batches = schema.batches.c
_repairs = schema.repairs.c


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is, each number up to its limit above."""

    batches: dict[BatchState, int]
    stuck_batches: int
    """Under way, without a result for so long that the reconciler looks at them."""
    oldest_silence_seconds: float
    """How long the batch under way that is silent for the longest has had no result; 0 if there is none."""
    recent_repairs: int
    """Batches that the reconciler repaired within the last hour."""
    recent_repaired_jobs: int
    """Results that it recorded or counted then, which no worker had reported."""


async def read_overview(connection: AsyncConnection, stuck_after_seconds: float) -> Overview:
    """Read it, by the database's clock."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    counts = {state: await _count(connection, state) for state in BatchState}
    stuck, oldest = await _silent(connection, now, stuck_after_seconds)
    repairs, jobs = await _recent_repairs(connection, now)
    return Overview(counts, stuck, oldest, repairs, jobs)


async def _count(connection: AsyncConnection, state: BatchState) -> int:
    some = select(_batches.batch_key).where(_batches.state == int(state)).limit(COUNTED_BATCHES_MAX)
    return await connection.scalar(select(func.count()).select_from(some.subquery())) or 0


async def _silent(
    connection: AsyncConnection, now: datetime, stuck_after_seconds: float
) -> tuple[int, float]:
    """Return how many batches are stuck, and the longest silence in seconds."""
    moment = func.coalesce(_batches.last_result_time, _batches.create_time, type_=schema.UtcTime())
    examined = (
        select(moment.label("moment"))
        .where(_batches.state == int(BatchState.PROCESSING))
        .order_by(_batches.batch_key)
        .limit(EXAMINED_BATCHES_MAX)
        .subquery()
    ).c
    oldest: datetime | None = await connection.scalar(select(func.min(examined.moment)))
    if oldest is None:
        return 0, 0.0
    horizon = now - timedelta(seconds=stuck_after_seconds)
    stuck = await connection.scalar(select(func.count()).where(examined.moment < horizon))
    return stuck or 0, max(0.0, (now - oldest).total_seconds())


async def _recent_repairs(connection: AsyncConnection, now: datetime) -> tuple[int, int]:
    """Return how many repairs there were of late, and how many jobs they ended."""
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
