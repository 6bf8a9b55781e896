"""Lists the batches that may be stuck, and carries out repairs, conditional on the revision that was read."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, union_all

from batches.batch import Batch, BatchState
from batches.clock import AHEAD_SECONDS_MAX
from batches.errors import BatchNotFound
from batches.failure_groups import Fingerprints
from batches.recording import joined
from batches.repair import RepairPlan, Tallies, repair, tallies_of
from batches.result import ResultSource
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.locking import BatchKeys, lock_with_attempts
from batches.store.looks import deleting_looks
from batches.store.recording import write_recording
from batches.store.rows import SELECT_BATCH, to_batch
from batches.store.script import Statement, Value, to_value
from batches.store.sql_functions import database_now

STUCK_BATCHES_MAX = 100_000
"""Keys of stuck batches that one pass reads: far more than it can check, and a few megabytes of memory."""

COUNTED_FAILURES_MAX = 10_000
"""Ended batches that one pass checks for retries: some ten seconds of calls to a queue."""

RepairOutcome = Batch | BatchNotFound | None

_COLUMNS = [column.name for column in schema.repairs.c if not column.primary_key]
_INSERT = f"INSERT INTO repairs ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608  # the names of columns


async def list_stuck(connection: AsyncConnection, stuck_after_seconds: float) -> list[int]:
    """Return the keys of the stuck batches in the order of their last look, those never looked at first.

    Only stuck batches are read, and open ones that have no result yet. A pass asks once and then reads the
    batches by key: each look that the pass records would move its batch to a later page.
    """
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    quiet = _quiet(now - timedelta(seconds=stuck_after_seconds), now + timedelta(seconds=AHEAD_SECONDS_MAX))
    looks = schema.looks.c
    query = (
        select(quiet.batch_key)
        .outerjoin(schema.looks, looks.batch_key == quiet.batch_key)
        # Both MySQL and SQLite sort NULL before every time.
        .order_by(looks.look_time, quiet.batch_key)
        .limit(STUCK_BATCHES_MAX)
    )
    return list((await connection.scalars(query)).all())


def _quiet(since: datetime, ahead: datetime) -> Any:
    """Select the keys of the open batches without a result since a time, along three ranges of an index.

    A time that lies ahead is one from before the clock was set back: no result has come since.
    """
    batches = schema.batches.c
    last, created = batches.last_result_time, batches.create_time
    parts = (
        last <= since,
        last > ahead,
        last.is_(None) & or_(created <= since, created > ahead),
    )
    open_batches = select(batches.batch_key).where(batches.state == int(BatchState.PROCESSING))
    # MySQL and MariaDB sometimes choose the other index of the state, with which they read every open batch.
    open_batches = open_batches.with_hint(schema.batches, "FORCE INDEX (batches_by_last_result)")
    return union_all(*(open_batches.where(part) for part in parts)).subquery().c


async def list_counted_failures(connection: AsyncConnection, ended_within_seconds: float) -> list[int]:
    """Return the keys of the batches that ended within that time with failures that a queue only counted.

    The newest end is first.
    """
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    batches = schema.batches.c
    query = (
        select(batches.batch_key)
        .where(
            batches.complete_time >= now - timedelta(seconds=ended_within_seconds),
            batches.unattributed_failed_jobs > 0,
        )
        .order_by(batches.complete_time.desc(), batches.batch_key.desc())
        .limit(COUNTED_FAILURES_MAX)
    )
    return list((await connection.scalars(query)).all())


async def read_batches(connection: AsyncConnection, keys: Collection[int]) -> list[Batch]:
    """Return the batches with these keys that still exist, in no particular order."""
    query = SELECT_BATCH.where(schema.batches.c.batch_key.in_(keys))
    return [to_batch(row) for row in await connection.execute(query)] if keys else []


async def write_repairs(
    connection: AsyncConnection, plans: Sequence[RepairPlan], fingerprints: Fingerprints
) -> list[RepairOutcome]:
    """Carry out plans for different batches and keep a record of each.

    Returns:
        For each plan the batch after the repair; None, with nothing written for it, if the batch has changed
        since the plan was made, or if it has ended and the plan does not recount it; the error if there is no
        such batch.

    """
    jobs = {plan.batch_id: [one.job_id for one in plan.results] for plan in plans}
    keys = BatchKeys({plan.batch_id: plan.batch_key for plan in plans if plan.batch_key is not None})
    locked = await lock_with_attempts(connection, jobs, keys)
    batches = {batch.batch_id: batch for batch in locked.batches}
    valid = [plan for plan in plans if _still_applies(plan, batches.get(plan.batch_id))]
    before = [batches[plan.batch_id] for plan in valid]
    recordings = [repair(batch, locked.attempts, plan) for batch, plan in zip(before, valid, strict=True)]
    recording = joined(recordings)
    records = [
        _record(batch, recording.batches[plan.batch_id], plan.reason)
        for batch, plan, own in zip(before, valid, recordings, strict=True)
        if own.changed
    ]
    also = [Statement(_INSERT, rows=records)] if records else []
    also += deleting_looks([one.batch_key for one in recording.batches.values() if one.has_ended])
    await write_recording(
        connection,
        recording,
        locked.attempts,
        ResultSource.RECONCILER,
        fingerprints,
        before=before,
        also=also,
        commits=True,
    )
    return [
        recording.batches.get(plan.batch_id) if plan.batch_id in batches else BatchNotFound(plan.batch_id)
        for plan in plans
    ]


def _still_applies(plan: RepairPlan, batch: Batch | None) -> bool:
    """Return whether a batch is as it was when its plan was made."""
    return (
        batch is not None
        and plan.batch_key in {None, batch.batch_key}
        and batch.revision == plan.revision
        and batch.has_ended is plan.recounts
    )


def _record(before: Batch, after: Batch, reason: str) -> tuple[Value, ...]:
    """Return the values of _COLUMNS."""
    return (
        before.batch_key,
        *_values(tallies_of(before)),
        *_values(tallies_of(after)),
        reason[: schema.REASON_CHARACTERS_MAX],
        to_value(before.read_time),
    )


def _values(tallies: Tallies) -> tuple[int, ...]:
    tally = tallies.tally
    return int(tallies.state), tallies.total_jobs, tally.succeeded, tally.failed, tally.skipped
