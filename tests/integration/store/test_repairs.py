"""Repairs are written only to a batch that has not changed since it was read."""

import asyncio
from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.repair import Repair, RepairPlan, Tallies
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import (
    DUPLICATE,
    RECORDED,
    SUPERSEDED_EARLIER,
    create,
    differences,
    execute,
    recorded,
    report,
    scalar,
)
from tests.support.samples import FAILED, RECONCILER, SKIPPED, WORKER, result, results

PLAN = RepairPlan("batch", revision=2, reason="the queue says so")
"""A plan for the batch of stuck()."""


async def stuck(store: BatchStore) -> None:
    """Create a batch of ten jobs of which seven were reported."""
    await create(store, 10)
    await report(store, *results(6), result("failed", FAILED))


async def repairs_of(store: BatchStore) -> list[Repair]:
    """Return the repairs of the batch, newest first."""
    return (await store.list_repairs("batch", before_key=None, size=100)).items


async def test_missing_results_are_recorded_as_reconciled(store: BatchStore) -> None:
    """The last of them completes the batch."""
    await stuck(store)
    found = (result("a"), result("b", FAILED, attempt=2), result("c", SKIPPED))
    batch = await store.write_repair(replace(PLAN, results=found))
    assert batch is not None
    assert (batch.tally, batch.reconciled_jobs, batch.revision) == (Tally(7, 2, 1), 3, 3)
    assert (batch.state, batch.pending_jobs) == (BatchState.COMPLETED, 0)
    rows = await recorded(store)
    assert {job_id for job_id, row in rows.items() if row.source is RECONCILER} == {"a", "b", "c"}
    assert rows["b"].attempt == 2
    assert await differences(store) == []


async def test_a_repair_is_kept_with_numbers_reason_and_time(store: BatchStore) -> None:
    """The numbers are those before and after it."""
    await stuck(store)
    batch = await store.write_repair(replace(PLAN, results=(result("a"), result("b", FAILED))))
    assert batch is not None
    (kept,) = await repairs_of(store)
    assert kept.before == Tallies(BatchState.PROCESSING, 10, Tally(6, 1))
    assert kept.after == Tallies(BatchState.PROCESSING, 10, Tally(7, 2))
    assert kept.reason == "the queue says so"
    assert batch.create_time <= kept.repair_time <= (await store.get_batch("batch")).read_time


async def test_counts_complete_the_batch_without_rows(store: BatchStore) -> None:
    """The check accepts them."""
    await stuck(store)
    plan = replace(PLAN, closes=True, total_jobs=12, unattributed=Tally(3, 1, 1))
    batch = await store.write_repair(plan)
    assert batch is not None
    assert (batch.tally, batch.unattributed, batch.reconciled_jobs) == (Tally(9, 2, 1), Tally(3, 1, 1), 5)
    assert (batch.state, batch.total_jobs) == (BatchState.COMPLETED, 12)
    read = await store.get_batch("batch")
    assert replace(read, read_time=batch.read_time) == batch
    assert len(await recorded(store)) == 7
    assert (await repairs_of(store))[0].after == Tallies(BatchState.COMPLETED, 12, Tally(9, 2, 1))
    assert await differences(store) == []


async def test_late_reports_replace_counts(store: BatchStore) -> None:
    """The sum stays, and the rows are there."""
    await stuck(store)
    await store.write_repair(replace(PLAN, closes=True, total_jobs=10, unattributed=Tally(2, 1)))
    late = [result("a"), result("b", FAILED), result("c", FAILED)]
    assert await report(store, *late) == [RECORDED] * 3
    assert await report(store, *late) == [DUPLICATE] * 3
    batch = await store.get_batch("batch")
    assert (batch.tally, batch.unattributed, batch.reconciled_jobs) == (Tally(7, 3), Tally(), 0)
    assert (batch.state, batch.total_jobs, batch.revision) == (BatchState.COMPLETED, 10, 4)
    assert await differences(store) == []


async def test_a_higher_attempt_of_a_worker_supersedes_the_reconciler(store: BatchStore) -> None:
    """A report of the same attempt is a duplicate."""
    await stuck(store)
    await store.write_repair(replace(PLAN, results=(result("a", FAILED), result("b"))))
    verdicts = await report(store, result("a", attempt=2), result("b"))
    assert verdicts == [SUPERSEDED_EARLIER, DUPLICATE]
    batch = await store.get_batch("batch")
    assert (batch.tally, batch.reconciled_jobs) == (Tally(8, 1), 1)
    assert (await recorded(store))["a"].source is WORKER
    assert await differences(store) == []


async def test_a_batch_cancelled_in_the_queue_is_cancelled(store: BatchStore) -> None:
    """Jobs that never ran are skipped."""
    await stuck(store)
    plan = replace(
        PLAN, closes=True, cancels=True, total_jobs=10, results=tuple(results(3, SKIPPED, first=50))
    )
    batch = await store.write_repair(plan)
    assert batch is not None
    assert (batch.state, batch.tally, batch.pending_jobs) == (BatchState.CANCELLED, Tally(6, 1, 3), 0)
    assert (await repairs_of(store))[0].after.state is BatchState.CANCELLED
    assert await differences(store) == []


async def test_a_plan_for_an_older_revision_is_not_carried_out(store: BatchStore, database: Database) -> None:
    """The batch got a report meanwhile; no repair is kept."""
    await stuck(store)
    await report(store, result("late"))
    before = await store.get_batch("batch")
    assert await store.write_repair(replace(PLAN, results=(result("a"),))) is None
    after = await store.get_batch("batch")
    assert replace(after, read_time=before.read_time) == before
    assert await scalar(database, "SELECT COUNT(*) FROM job_results") == 8
    assert await repairs_of(store) == []


@pytest.mark.parametrize("state", [BatchState.COMPLETED, BatchState.CANCELLED])
async def test_an_ended_batch_is_not_repaired(
    store: BatchStore, database: Database, state: BatchState
) -> None:
    """This holds even for a plan for its present revision."""
    await stuck(store)
    await execute(database, "UPDATE batches SET state = :state", state=int(state))
    assert await store.write_repair(replace(PLAN, closes=True, total_jobs=7)) is None
    assert await repairs_of(store) == []


async def test_other_counts_of_an_ended_batch_are_kept_as_a_repair(store: BatchStore) -> None:
    """The batch keeps its state, its total and its end."""
    await stuck(store)
    ended = await store.write_repair(replace(PLAN, closes=True, total_jobs=10, unattributed=Tally(1, 2)))
    assert ended is not None
    plan = replace(PLAN, revision=ended.revision, unattributed=Tally(3), recounts=True)
    batch = await store.write_repair(plan)
    assert batch is not None
    assert (batch.tally, batch.unattributed, batch.complete_time) == (
        Tally(9, 1),
        Tally(3),
        ended.complete_time,
    )
    newest, _ = await repairs_of(store)
    assert (newest.before.tally, newest.after.tally) == (Tally(7, 3), Tally(9, 1))
    assert newest.before.state is newest.after.state is BatchState.COMPLETED
    assert await differences(store) == []


async def test_only_an_ended_batch_is_recounted(store: BatchStore) -> None:
    await stuck(store)
    assert await store.write_repair(replace(PLAN, recounts=True)) is None


async def test_ended_batches_with_counted_failures_are_listed_for_a_while(
    store: BatchStore, database: Database
) -> None:
    """The newest end is first; counted successes alone need no check."""
    keys = {}
    for batch_id, counted in (("old", Tally(0, 1)), ("new", Tally(0, 1)), ("succeeded", Tally(1))):
        await create(store, 1, batch_id=batch_id)
        plan = RepairPlan(batch_id, revision=1, closes=True, total_jobs=1, unattributed=counted)
        ended = await store.write_repair(plan)
        assert ended is not None
        keys[batch_id] = ended.batch_key
    assert await store.list_counted_failures(60) == [keys["new"], keys["old"]]
    await execute(
        database,
        "UPDATE batches SET complete_time = :time WHERE batch_id = 'old'",
        time="2026-01-01 00:00:00",
    )
    assert await store.list_counted_failures(60) == [keys["new"]]


async def test_a_plan_without_news_changes_nothing(store: BatchStore) -> None:
    """No repair is kept."""
    await stuck(store)
    batch = await store.write_repair(replace(PLAN, results=(*results(6), result("failed", FAILED))))
    assert batch is not None
    assert batch.revision == 2
    assert await repairs_of(store) == []


async def test_one_of_two_equal_plans_is_carried_out(store: BatchStore, other_store: BatchStore) -> None:
    """The other pass finds the batch changed."""
    await stuck(store)
    plan = replace(PLAN, results=(result("a"),))
    outcomes = await asyncio.gather(*(one.write_repair(plan) for one in (store, other_store)))
    assert sorted(batch is None for batch in outcomes) == [False, True]
    assert len(await repairs_of(store)) == 1
    assert (await store.get_batch("batch")).tally == Tally(7, 1)


async def test_a_long_reason_is_cut(store: BatchStore) -> None:
    """A repair never fails because of its text."""
    await stuck(store)
    await store.write_repair(replace(PLAN, reason="🎉" * 600, results=(result("a"),)))
    assert (await repairs_of(store))[0].reason == "🎉" * schema.REASON_CHARACTERS_MAX
