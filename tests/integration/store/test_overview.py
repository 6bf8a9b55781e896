"""Totals over all batches."""

import math

from batches.batch import BatchState, Tally
from batches.look import Look
from batches.overview import Overview
from batches.passes import PassNumbers
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import create, execute, report
from tests.support.samples import result

LONG_AGO = "2000-01-01 00:00:00.000000"
HOUR_SECONDS = 3_600.0


async def test_an_empty_database_has_no_totals(store: BatchStore) -> None:
    """Every state is listed, with 0 batches."""
    assert await store.read_overview(HOUR_SECONDS) == Overview(
        dict.fromkeys(BatchState, 0), 0, 0.0, math.inf, 0, 0, 0
    )


async def test_the_time_since_the_newest_pass_is_told(store: BatchStore, database: Database) -> None:
    """A pass that has not ended counts from its beginning."""
    await store.end_pass(await store.begin_pass(), PassNumbers())
    assert (await store.read_overview(HOUR_SECONDS)).reconciler_silence_seconds < HOUR_SECONDS
    await execute(database, "UPDATE passes SET start_time = :time, end_time = NULL", time=LONG_AGO)
    assert (await store.read_overview(HOUR_SECONDS)).reconciler_silence_seconds > HOUR_SECONDS


async def test_batches_are_counted_by_state(store: BatchStore, database: Database) -> None:
    """A batch in PROCESSING that has had no result for long is stuck as well."""
    for batch_id, total_jobs in (("completed", 0), ("cancelled", 1), ("stuck", 1), ("recent", 1)):
        await create(store, total_jobs, batch_id)
    await store.cancel_batch("cancelled")
    await execute(
        database, "UPDATE batches SET create_time = :time WHERE batch_id <> 'recent'", time=LONG_AGO
    )
    overview = await store.read_overview(HOUR_SECONDS)
    assert overview.batches == {
        BatchState.PROCESSING: 2,
        BatchState.COMPLETED: 1,
        BatchState.CANCELLED: 1,
    }
    assert overview.stuck_batches == 1
    assert overview.oldest_silence_seconds > HOUR_SECONDS


async def test_batches_that_need_a_person_are_counted(store: BatchStore, database: Database) -> None:
    """A look before the last result does not count, and neither does one at a batch that has ended."""
    for batch_id in ("needs", "waits", "moves", "ended"):
        await create(store, 2, batch_id)
        look = Look(batch_id, "contradiction", "a reason", needs_person=batch_id != "waits")
        await store.record_look(look)
    key = (await store.get_batch("moves")).batch_key
    await execute(
        database, "UPDATE looks SET look_time = :time WHERE batch_key = :key", time=LONG_AGO, key=key
    )
    await store.cancel_batch("ended")
    assert (await store.read_overview(HOUR_SECONDS)).batches_need_person == 1


async def test_only_repairs_of_the_last_hour_are_counted(store: BatchStore, database: Database) -> None:
    """They are counted with the jobs that they ended."""
    for batch_id, jobs in (("old", 5), ("new", 3)):
        await create(store, 10, batch_id)
        await report(store, result("reported", batch_id=batch_id))
        plan = RepairPlan(batch_id, 2, "reason", closes=True, total_jobs=1 + jobs, unattributed=Tally(jobs))
        await store.write_repair(plan)
        if batch_id == "old":
            await execute(database, "UPDATE repairs SET repair_time = :time", time=LONG_AGO)
    overview = await store.read_overview(HOUR_SECONDS)
    assert (overview.recent_repairs, overview.recent_repaired_jobs) == (1, 3)
