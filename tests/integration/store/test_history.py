"""The history of a batch, which is written with the changes that make it."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from batches import history
from batches.batch import Tally
from batches.errors import BatchNotFound
from batches.history import HistoryPoint
from batches.new_batch import IfEnded, NewBatch
from batches.repair import RepairPlan
from batches.store import history_points, recording
from batches.store.batch_store import BatchStore
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.script import Rows, Statement, run_script
from tests.integration.store.steps import count_rows, create, differences, execute, report
from tests.integration.store.test_migration_statements import sent_statements
from tests.integration.store.test_retention import delete_all
from tests.support.samples import FAILED, result, results

FOREVER_SECONDS = 1e9


@pytest.fixture
def _every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state before each change, unless both have the same time."""
    monkeypatch.setattr(history, "interval_seconds", lambda *_: 1e-6)


@pytest.fixture
def _few_points(monkeypatch: pytest.MonkeyPatch, _every_change: None) -> None:
    """Move and thin the points as if there were many."""
    for name, points in (("RECENT_POINTS_MAX", 4), ("KEPT_POINTS_MAX", 16), ("THINNED_POINTS_MAX", 8)):
        monkeypatch.setattr(history_points, name, points)
    monkeypatch.setattr(history_points, "RECENT_BYTES_MAX", 2 + 4 * history.POINT_BYTES)


def tallies(points: list[HistoryPoint]) -> list[tuple[int, int, int]]:
    """Return the totals, the succeeded and the failed jobs."""
    return [(one.total_jobs, one.tally.succeeded, one.tally.failed) for one in points]


async def report_one_by_one(*stores: BatchStore, jobs: int, batch_id: str = "batch") -> None:
    """Report each job in a transaction of its own, by one server after the other."""
    for number in range(jobs):
        await report(stores[number % len(stores)], result(f"job-{number}", batch_id=batch_id))


async def test_history_of_a_new_batch_is_its_creation(store: BatchStore) -> None:
    batch = await create(store, 10)
    assert await store.read_history("batch") == [HistoryPoint(batch.create_time, 10, Tally())]


@pytest.mark.usefixtures("_every_change")
async def test_each_change_is_a_point(store: BatchStore) -> None:
    """Counts fall when a later attempt takes the place of a failure."""
    await create(store, 2, sealed=False)
    await report(store, result("a", FAILED))
    await report(store, result("a", attempt=2))
    await store.add_jobs("batch", 3, "more")
    await report(store, result("b"), result("c"))
    sealed = await store.seal_batch("batch")
    await store.cancel_batch("batch")
    points = await store.read_history("batch")
    expected = [(2, 0, 0), (2, 0, 1), (2, 1, 0), (5, 1, 0), (5, 3, 0), (5, 3, 0)]
    assert tallies(points) == expected
    assert points[-2].time == sealed.last_result_time
    assert points[-1].time == (await store.get_batch("batch")).complete_time


@pytest.mark.usefixtures("_few_points")
async def test_points_of_several_servers_are_one_history(
    store: BatchStore, other_store: BatchStore, database: Database
) -> None:
    await create(store, 14)
    await report_one_by_one(store, other_store, jobs=14)
    points = await store.read_history("batch")
    assert tallies(points)[0] == (14, 0, 0)
    assert tallies(points)[-1] == (14, 14, 0)
    assert len(points) > 8
    assert all(one.time < other.time for one, other in pairwise(points))
    assert (await count_rows(database))["batch_history"] > 1
    assert await differences(store) == []


@pytest.mark.usefixtures("_few_points")
async def test_history_of_many_changes_is_thinned(store: BatchStore, database: Database) -> None:
    await create(store, 60)
    await report_one_by_one(store, jobs=60)
    points = await store.read_history("batch")
    assert 4 <= len(points) <= 16 + 2
    assert tallies(points)[0] == (60, 0, 0)
    assert tallies(points)[-1] == (60, 60, 0)
    assert [one.tally.ended for one in points] == sorted(one.tally.ended for one in points)
    assert (await count_rows(database))["batch_history"] <= 4
    assert await differences(store) == []


@pytest.mark.usefixtures("_few_points")
async def test_concurrent_reports_leave_one_true_history(store: BatchStore, other_store: BatchStore) -> None:
    await create(store, 40)
    await asyncio.gather(
        *(report([store, other_store][number % 2], result(f"job-{number}")) for number in range(40))
    )
    ended = [one.tally.ended for one in await store.read_history("batch")]
    assert ended == sorted(set(ended))
    assert (ended[0], ended[-1]) == (0, 40)
    assert await differences(store) == []


@pytest.mark.usefixtures("_every_change")
async def test_group_keeps_the_histories_of_all_its_batches(store: BatchStore) -> None:
    """Also if only some of its batches get a point."""
    for batch_id in ("batch", "other"):
        await create(store, 9, batch_id)
    await report(store, result("a"))
    await report(store, result("b"), result("a", batch_id="other"))
    await report(store, result("c"), result("b", batch_id="other"))
    assert tallies(await store.read_history("batch")) == [(9, 0, 0), (9, 1, 0), (9, 2, 0), (9, 3, 0)]
    assert tallies(await store.read_history("other")) == [(9, 0, 0), (9, 1, 0), (9, 2, 0)]


@pytest.mark.usefixtures("_every_change")
async def test_repair_is_a_point_at_its_own_time(store: BatchStore) -> None:
    """Counts that the queue tells have no results, whose times the batch would have."""
    await create(store, 5)
    await report(store, result("a"))
    plan = RepairPlan("batch", 2, "reason", closes=True, total_jobs=4, unattributed=Tally(2, 1))
    repaired = await store.write_repair(plan)
    assert repaired is not None
    points = await store.read_history("batch")
    assert tallies(points) == [(5, 0, 0), (5, 1, 0), (4, 3, 1)]
    assert points[-1].time == repaired.complete_time


async def test_point_needs_no_statement(store: BatchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the statement that saves the batch anyway."""
    scripts: list[list[str]] = []

    async def run(connection: AsyncConnection, script: Sequence[Statement]) -> list[Rows]:
        scripts.append([statement.sql for statement in script])
        return await run_script(connection, script)

    await create(store, 9)
    await report(store, result("a"))
    monkeypatch.setattr(recording, "run_script", run)
    with sent_statements() as others:
        for seconds in (FOREVER_SECONDS, 1e-6):
            monkeypatch.setattr(history, "interval_seconds", lambda *_, seconds=seconds: seconds)
            await report(store, result(f"after {seconds}".replace(" ", "-")))
    assert others == []
    assert len(scripts[0]) == len(scripts[1])
    has_point = [any("recent_history =" in sql for sql in script) for script in scripts]
    assert has_point == [False, True]


@pytest.mark.usefixtures("_every_change")
async def test_batch_of_an_older_server_has_no_history_until_a_newer_one_changes_it(
    store: BatchStore, database: Database
) -> None:
    await create(store, 9)
    await report(store, *results(2))
    await execute(database, "UPDATE batches SET recent_history = NULL")
    assert await store.read_history("batch") == []
    await report(store, result("next"))
    assert tallies(await store.read_history("batch")) == [(9, 2, 0), (9, 3, 0)]
    assert await differences(store) == []


@pytest.mark.usefixtures("_few_points")
async def test_batch_that_takes_the_place_of_another_begins_its_own_history(
    store: BatchStore, database: Database
) -> None:
    await create(store, 14)
    await report_one_by_one(store, jobs=14)
    await store.create_batch(NewBatch("batch", 3, request_id="again", if_ended=IfEnded.REPLACE))
    assert tallies(await store.read_history("batch")) == [(3, 0, 0)]
    await delete_all(store)
    assert await count_rows(database) == {"batches": 1}
    await store.cancel_batch("batch")
    await store.delete_batch("batch")
    with pytest.raises(BatchNotFound):
        await store.read_history("batch")
