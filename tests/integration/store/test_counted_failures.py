"""Reporters that fail and retry at the same time leave counts of failure groups that equal the rows."""

import asyncio
import random
from itertools import count

import pytest

from batches import failure_groups as rules
from batches.batch import Tally
from batches.repair import RepairPlan
from batches.result import JobOutcome, JobResult
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.failures import list_failure_groups
from tests.integration.store.steps import create, differences, execute, scalar
from tests.integration.store.test_label_search import counted
from tests.support.samples import RECONCILER, WORKER, failure

BATCH_IDS = ("one", "two", "three")
JOBS = 60
KINDS = 12
OWN_GROUPS = 8
"""Fewer than the kinds, so that some failures are counted as further kinds."""


@pytest.mark.parametrize(
    "rounds", [8, pytest.param(150, marks=pytest.mark.more("takes some ten seconds on each engine"))]
)
async def test_concurrent_reporters_leave_counts_that_equal_the_rows(
    store: BatchStore,
    other_store: BatchStore,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    rounds: int,
) -> None:
    """Two replicas record first attempts, duplicates, retries and repairs, and one batch is cancelled."""
    monkeypatch.setattr(rules, "OWN_GROUPS_MAX", OWN_GROUPS)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed: {seed}")
    chance = random.Random(seed)  # a test
    for batch_id in BATCH_IDS:
        await create(store, JOBS + 1, batch_id)  # so that none completes
    groups = [[_result(chance) for _ in range(chance.randrange(1, 20))] for _ in range(4 * rounds)]
    numbers = count()

    async def report(one: BatchStore) -> None:
        while (number := next(numbers)) < len(groups):
            source = RECONCILER if number % 5 == 0 else WORKER
            await one.record_results(groups[number], source)
            if number == rounds:
                await one.cancel_batch("two")

    await asyncio.gather(*(report(one) for one in (store, other_store) for _ in range(3)))
    assert await differences(store) == []
    assert await scalar(database, "SELECT COUNT(*) FROM failure_groups WHERE failed_jobs < 0") == 0
    own = "SELECT COUNT(*) AS n FROM failure_groups WHERE fingerprint <> '' GROUP BY batch_key"
    assert await scalar(database, f"SELECT MAX(n) FROM ({own}) AS own") == OWN_GROUPS  # noqa: S608  # ours
    for batch_id in BATCH_IDS:
        batch = await store.get_batch(batch_id)
        counted = await store.list_failure_groups(batch_id, after=0, size=100)
        assert sum(one.failed_jobs for one in counted.groups) == batch.tally.failed
        await execute(database, "UPDATE failure_groups SET failed_jobs = failed_jobs + 1")
        of_rows = await store.list_failure_groups(batch_id, after=0, size=100)
        await execute(database, "UPDATE failure_groups SET failed_jobs = failed_jobs - 1")
        assert sum(one.failed_jobs for one in of_rows.groups) == batch.tally.failed


async def test_failures_that_a_queue_counts_are_in_no_group(store: BatchStore) -> None:
    """They have no rows, and a late report of one of them gets a row and a group."""
    await create(store, 3)
    plan = RepairPlan("batch", 1, "reason", closes=True, total_jobs=3, unattributed=Tally(failed=3))
    await store.write_repair(plan)
    assert (await store.list_failure_groups("batch", after=0, size=9)).total_size == 0
    await store.record_results([JobResult("batch", "j", JobOutcome.FAILED, 1, "E")], WORKER)
    (group,) = (await store.list_failure_groups("batch", after=0, size=9)).groups
    assert (group.error_type, group.failed_jobs) == ("E", 1)
    assert await differences(store) == []


def _result(chance: random.Random) -> JobResult:
    outcome = chance.choice((JobOutcome.FAILED, JobOutcome.FAILED, JobOutcome.SUCCEEDED))
    return JobResult(
        chance.choice(BATCH_IDS),
        f"job-{chance.randrange(JOBS)}",
        outcome,
        chance.randrange(1, 6),
        f"E{chance.randrange(KINDS)}" if outcome is JobOutcome.FAILED else "",
    )


async def test_groups_cost_no_more_with_ten_times_as_many_failures(
    store: BatchStore, database: Database
) -> None:
    """What is read is counted, not the seconds."""
    await create(store, 2_001)
    costs = []
    for first, end in ((0, 200), (200, 2_000)):
        await store.record_results(
            [failure(f"job-{number:05}", f"E{number % 4}") for number in range(first, end)], WORKER
        )
        async with database.engine.connect() as connection:
            await list_failure_groups(connection, "batch", after=0, size=50)
            async with counted(connection) as cost:
                page = await list_failure_groups(connection, "batch", after=0, size=50)
        assert sum(group.failed_jobs for group in page.groups) == end
        costs.append(cost.units)
    few, many = costs
    assert many <= 1.5 * few
