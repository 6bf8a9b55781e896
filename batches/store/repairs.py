"""Lists the batches that may be stuck, and carries out repairs, conditional on the revision that was read."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch, BatchState
from batches.clock import AHEAD_SECONDS_MAX
from batches.failure_groups import Fingerprints
from batches.repair import RepairPlan, Tallies, repair, tallies_of
from batches.result import ResultSource
from batches.store import schema
from batches.store.attempts import read_attempts
from batches.store.column_types import UtcTime
from batches.store.locking import lock_batch
from batches.store.looks import delete_look
from batches.store.recording import write_recording
from batches.store.rows import SELECT_BATCH, to_batch
from batches.store.sql_functions import database_now

STUCK_BATCHES_MAX = 100_000
"""Keys of stuck batches that one pass reads: far more than it can check, and a few megabytes of memory."""

COUNTED_FAILURES_MAX = 10_000
"""Ended batches that one pass checks for retries: some ten seconds of calls to a queue."""

_INSERT = insert(schema.repairs)


async def list_stuck(connection: AsyncConnection, stuck_after_seconds: float) -> list[int]:
    """Return the keys of the stuck batches in the order of their last look, those never looked at first.

    One statement reads all batches in PROCESSING, whose last results no index has, together with their
    looks; a pass asks once and then reads the batches by key. Pages in the order of looks would each cost
    that statement again, and each look that the pass records would move its batch to a later page.
    """
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    batches, looks = schema.batches.c, schema.looks.c
    quiet_since = func.coalesce(batches.last_result_time, batches.create_time, type_=UtcTime())
    query = (
        select(batches.batch_key)
        .outerjoin(schema.looks, looks.batch_key == batches.batch_key)
        .where(
            batches.state == int(BatchState.PROCESSING),
            # A time that lies ahead is one from before the clock was set back: no result has come since.
            or_(
                quiet_since <= now - timedelta(seconds=stuck_after_seconds),
                quiet_since > now + timedelta(seconds=AHEAD_SECONDS_MAX),
            ),
        )
        # Both MySQL and SQLite sort NULL before every time.
        .order_by(looks.look_time, batches.batch_key)
        .limit(STUCK_BATCHES_MAX)
    )
    return list((await connection.scalars(query)).all())


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


async def write_repair(
    connection: AsyncConnection, plan: RepairPlan, fingerprints: Fingerprints
) -> Batch | None:
    """Carry out a plan and keep a record of it.

    Returns:
        The batch after the repair; None, with nothing written, if it has changed since the plan was
        made, or if it has ended and the plan does not recount it.

    """
    before = await lock_batch(connection, plan.batch_id)
    if plan.batch_key not in {None, before.batch_key}:
        return None
    if before.revision != plan.revision or before.has_ended is not plan.recounts:
        return None
    keys = [(before.batch_key, result.job_id) for result in plan.results]
    stored = await read_attempts(connection, keys)
    recording = repair(before, stored, plan)
    await write_recording(
        connection, recording, stored, ResultSource.RECONCILER, fingerprints, before=[before]
    )
    after = recording.batches[plan.batch_id]
    if recording.changed:
        await _keep_record(connection, before, after, plan.reason)
    if after.has_ended:
        await delete_look(connection, after.batch_key)
    return after


async def _keep_record(connection: AsyncConnection, before: Batch, after: Batch, reason: str) -> None:
    values = {
        "batch_key": before.batch_key,
        **_columns(tallies_of(before), "before"),
        **_columns(tallies_of(after), "after"),
        "reason": reason[: schema.REASON_CHARACTERS_MAX],
        "repair_time": before.read_time,
    }
    await connection.execute(_INSERT, values)


def _columns(tallies: Tallies, when: str) -> dict[str, int]:
    return {
        f"state_{when}": int(tallies.state),
        f"total_jobs_{when}": tallies.total_jobs,
        f"succeeded_jobs_{when}": tallies.tally.succeeded,
        f"failed_jobs_{when}": tallies.tally.failed,
        f"skipped_jobs_{when}": tallies.tally.skipped,
    }
