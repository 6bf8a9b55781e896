"""Repairs of several batches in one transaction: each is as correct as in a transaction of its own."""

import pytest
from sqlalchemy import event, text

from batches.batch import Batch, BatchState, Tally
from batches.errors import BatchNotFound, TransactionTooLarge
from batches.repair import RepairPlan
from batches.store import engines
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import count_rows, create, differences, on_servers, recorded, report
from tests.support.samples import FAILED, result

IDS = ("a", "b", "c")


def closing(batch_id: str, *job_ids: str, revision: int = 2) -> RepairPlan:
    """Return a plan that records jobs and ends a batch of three jobs."""
    found = tuple(result(job_id, batch_id=batch_id) for job_id in job_ids)
    return RepairPlan(batch_id, revision, reason=f"of {batch_id}", results=found, closes=True, total_jobs=3)


async def three_batches(store: BatchStore) -> None:
    """Create batches of three jobs, one of them reported."""
    for batch_id in IDS:
        await create(store, 3, batch_id)
        await report(store, result("first", FAILED, batch_id=batch_id))


async def test_repairs_of_several_batches_are_one_transaction(store: BatchStore, database: Database) -> None:
    """Each batch has its results, its end and its record."""
    await three_batches(store)
    transactions: list[object] = []  # each gets a connection of the pool
    event.listen(database.engine.sync_engine, "checkout", lambda *_: transactions.append(None))
    outcomes = await store.write_repairs([closing(batch_id, "x", "y") for batch_id in IDS])
    assert len(transactions) == 1
    for batch_id, outcome in zip(IDS, outcomes, strict=True):
        batch = await store.get_batch(batch_id)
        assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(2, 1))
        assert outcome == batch or (
            not isinstance(outcome, BatchNotFound | None) and outcome.tally == batch.tally
        )
        assert set(await recorded(store, batch_id)) == {"first", "x", "y"}
        page = await store.list_repairs(batch_id, before_key=None, size=9)
        assert [(one.reason, one.before.tally, one.after.tally) for one in page.items] == [
            (f"of {batch_id}", Tally(0, 1), Tally(2, 1))
        ]
    assert await differences(store) == []


async def test_a_batch_that_changed_does_not_stop_the_repairs_of_others(
    store: BatchStore, database: Database
) -> None:
    """Nothing is written for it, nor for one that does not exist."""
    await three_batches(store)
    await report(store, result("own", FAILED, batch_id="b"))
    plans = [closing("a", "x", "y"), closing("b", "x", "y"), closing("gone", "x"), closing("c", "y", "z")]
    a, b, gone, c = await store.write_repairs(plans)
    assert isinstance(a, Batch)
    assert isinstance(c, Batch)
    assert (a.state, b, type(gone), c.state) == (
        BatchState.COMPLETED,
        None,
        BatchNotFound,
        BatchState.COMPLETED,
    )
    assert set(await recorded(store, "b")) == {"first", "own"}
    assert (await count_rows(database))["repairs"] == 2
    assert await differences(store) == []


async def test_failure_limit_counts_in_a_group(store: BatchStore) -> None:
    """Each repair ends its own batch."""
    await three_batches(store)
    failed = tuple(result(job, FAILED, batch_id="a") for job in ("x", "y"))
    plans = [RepairPlan("a", 2, reason="r", results=failed), RepairPlan("b", 2, reason="r")]
    a, b = await store.write_repairs(plans)
    assert isinstance(a, Batch)
    assert isinstance(b, Batch)
    assert (a.tally, a.state, b.tally, b.revision) == (Tally(0, 3), BatchState.COMPLETED, Tally(0, 1), 2)
    assert await differences(store) == []


@on_servers
async def test_a_group_does_not_wait_for_a_locked_batch(
    store: BatchStore, other_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after the first wait, so that each batch is repaired alone."""
    monkeypatch.setattr(engines, "LOCK_WAIT_SECONDS_MAX", 1)
    await three_batches(store)
    async with other_database.engine.begin() as connection:
        await connection.execute(text("SELECT batch_key FROM batches WHERE batch_id = 'b' FOR UPDATE"))
        with pytest.raises(TransactionTooLarge):
            await store.write_repairs([closing(batch_id, "x", "y") for batch_id in IDS])
        assert await store.write_repair(closing("a", "x", "y")) is not None
    assert await differences(store) == []
