"""The check finds every kind of number that differs from the rows."""

import pytest

from batches.batch import Tally
from batches.fingerprint import as_text, fingerprint_of
from batches.history import POINT_BYTES
from batches.repair import RepairPlan
from batches.store import check, row_counts
from batches.store.batch_store import BatchStore
from batches.store.check import Difference
from batches.store.database import Database
from tests.integration.store.steps import create, differences, execute, insert_batches, report
from tests.support.samples import FAILED, RECONCILER, SKIPPED, failure, result, results

SMUGGLE = (
    "INSERT INTO job_results (batch_key, job_id, attempt, outcome, source, record_time)"
    " SELECT batch_key, 'smuggled', 1, 1, 1, create_time FROM batches"
)
THREE_POINTS = f"SELECT batch_key, 0, X'{'00' * 3 * POINT_BYTES}' FROM batches"  # noqa: S608
LOSE_POINTS = f"INSERT INTO batch_history (batch_key, first_point, points) {THREE_POINTS}"
"""As if the row of the batch had been restored from an older backup than its history."""

STALE_DETAILS = (
    "INSERT INTO error_details (batch_key, job_id, attempt, details)"
    " SELECT batch_key, 'f', 2, 'trace' FROM batches"
)


async def complete(store: BatchStore) -> None:
    """Complete a batch of eleven jobs with results of every kind, two of them only counted."""
    await create(store, 12)
    await report(store, *results(5), result("f", FAILED), result("s", SKIPPED))
    await report(store, result("r"), result("q", FAILED), source=RECONCILER)
    plan = RepairPlan("batch", 3, "reason", closes=True, total_jobs=11, unattributed=Tally(1, 1))
    await store.write_repair(plan)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE batches SET succeeded_jobs = 8",
            [("succeeded_jobs", 8, 7), ("jobs beyond the sealed total", 1, 0)],
        ),
        (
            "UPDATE batches SET failed_jobs = 2",
            [("failed_jobs", 2, 3), ("pending_jobs of a completed batch", 1, 0)],
        ),
        (
            "UPDATE batches SET skipped_jobs = 2",
            [("skipped_jobs", 2, 1), ("jobs beyond the sealed total", 1, 0)],
        ),
        ("UPDATE batches SET reconciled_jobs = 5", [("reconciled_jobs", 5, 4)]),
        (
            "UPDATE batches SET unattributed_failed_jobs = 0",
            [("failed_jobs", 3, 2), ("reconciled_jobs", 4, 3)],
        ),
        ("UPDATE batches SET announced_jobs = 10", [("jobs beyond the sealed total", 1, 0)]),
        ("UPDATE batches SET announced_jobs = 12", [("pending_jobs of a completed batch", 1, 0)]),
        ("UPDATE batches SET state = 1", [("state", 1, 2)]),
        (
            "UPDATE job_results SET outcome = 2 WHERE job_id = 's'",
            [("failed_jobs", 3, 4), ("skipped_jobs", 1, 0), ("failure group (others)", 0, 1)],
        ),
        ("UPDATE job_results SET source = 1 WHERE job_id = 'r'", [("reconciled_jobs", 4, 3)]),
        ("DELETE FROM job_results WHERE job_id = 'job-00000'", [("succeeded_jobs", 7, 6)]),
        (SMUGGLE, [("succeeded_jobs", 7, 8)]),
        (STALE_DETAILS, [("error_details without their failure", 1, 0)]),
        (LOSE_POINTS, [("points of the history", 0, 3)]),
    ],
)
async def test_a_corrupted_number_is_found(
    store: BatchStore, database: Database, statement: str, found: list[tuple[str, int, int]]
) -> None:
    """The difference names the number, its stored value and the expected one."""
    await complete(store)
    assert await differences(store) == []
    await execute(database, statement)
    assert await differences(store) == [Difference("batch", *one) for one in found]


async def test_a_miscounted_failure_group_is_found(store: BatchStore, database: Database) -> None:
    """Its difference is apart from those of the batch, since it can be counted again."""
    await create(store, 12)
    await report(store, failure("a", "E"), failure("b", "E"), failure("c", "F"))
    await execute(database, "UPDATE failure_groups SET failed_jobs = 5 WHERE failed_jobs = 2")
    (page,) = [page async for page in store.check()]
    assert page.differences == []
    name = f"failure group {as_text(fingerprint_of('E', ''))}"
    assert page.miscounted == {"batch": [Difference("batch", name, 5, 2)]}


async def test_all_pages_are_checked(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All batches and results are counted, and a difference on the last page is found."""
    monkeypatch.setattr(check, "PAGE_BATCHES", 3)
    await insert_batches(database, [f"batch-{number}" for number in range(7)])
    await report(store, *results(4, batch_id="batch-0"), *results(2, batch_id="batch-6"))
    await execute(database, "UPDATE batches SET failed_jobs = 1 WHERE batch_id = 'batch-6'")
    pages = [page async for page in store.check()]
    assert [(page.batches, page.results) for page in pages] == [(3, 4), (3, 0), (1, 2)]
    assert [page.differences for page in pages] == [[], [], [Difference("batch-6", "failed_jobs", 1, 0)]]


async def test_large_batch_is_counted_range_by_range(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No statement reads more rows than it has time for, and each one tells how far the check has come."""
    monkeypatch.setattr(row_counts, "RANGE_ROWS", 4)
    await create(store, 12, "large")
    await report(store, *results(11, batch_id="large"), result("f", FAILED, batch_id="large"))
    for batch_id, jobs in (("a", 2), ("b", 2), ("c", 1)):
        await create(store, jobs, batch_id)
        await report(store, *results(jobs, batch_id=batch_id))
    counted: list[int] = []
    (page,) = [page async for page in store.check(counted.append)]
    assert (page.results, page.differences) == (17, [])
    assert sum(counted) == 17
    assert max(counted) <= 4
    await execute(database, "DELETE FROM job_results WHERE job_id = 'job-00009'")
    (page,) = [page async for page in store.check()]
    assert page.differences == [Difference("large", "succeeded_jobs", 11, 10)]


async def test_page_ends_before_a_batch_with_too_many_rows(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is not kept open for several large batches, since the database keeps old rows for it."""
    monkeypatch.setattr(check, "PAGE_ROWS", 4)
    for batch_id, jobs in (("a", 1), ("b", 3), ("c", 9), ("d", 1)):
        await create(store, jobs, batch_id)
        await report(store, *results(jobs, batch_id=batch_id))
    pages = [page async for page in store.check()]
    assert [(page.batches, page.results) for page in pages] == [(2, 4), (1, 9), (1, 1)]


async def test_checking_an_empty_database_yields_no_pages(store: BatchStore) -> None:
    """There is nothing to compare."""
    assert [page async for page in store.check()] == []
