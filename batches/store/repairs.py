"""Lists the batches that may be stuck, and carries out repairs, conditional on the revision that was read."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch, BatchState
from batches.repair import RepairPlan, Tallies, repair, tallies_of
from batches.result import ResultSource
from batches.store import schema
from batches.store.attempts import read_attempts
from batches.store.recording import Fingerprints, write_recording
from batches.store.rows import SELECT_BATCH, lock_batch, to_batch

_INSERT = insert(schema.repairs)


async def list_processing(connection: AsyncConnection, *, after_key: int, size: int) -> list[Batch]:
    """Return up to `size` batches in PROCESSING with a higher key, in ascending order of keys."""
    table = schema.batches.c
    query = (
        SELECT_BATCH.where(table.state == int(BatchState.PROCESSING), table.batch_key > after_key)
        .order_by(table.batch_key)
        .limit(size)
    )
    return [to_batch(row) for row in await connection.execute(query)]


async def write_repair(
    connection: AsyncConnection, plan: RepairPlan, fingerprints: Fingerprints
) -> Batch | None:
    """Carry out a plan and keep a record of it.

    Returns:
        The batch after the repair; None, with nothing written, if it has ended or has changed since
        the plan was made.

    """
    before = await lock_batch(connection, plan.batch_id)
    if before.revision != plan.revision or before.has_ended:
        return None
    keys = [(before.batch_key, result.job_id) for result in plan.results]
    recording = repair(before, await read_attempts(connection, keys), plan)
    await write_recording(connection, recording, ResultSource.RECONCILER, fingerprints)
    after = recording.batches[plan.batch_id]
    if recording.changed:
        await _keep_record(connection, before, after, plan.reason)
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
