"""Failures in groups of similar errors."""

import pytest

from batches.result import FailureGroup
from batches.store import failures
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import create, execute, report
from tests.support.samples import FAILED, SKIPPED, failure, result


async def test_similar_errors_are_one_group(store: BatchStore) -> None:
    """Groups are ordered by size, the largest first, then by their first job."""
    await create(store, 100)
    await report(
        store,
        failure("j1", "Timeout", "after 30 s"),
        failure("j0", "Timeout", "after 31 s"),
        failure("j2", "Timeout", "after a while"),
        failure("j3", "KeyError", "'id'"),
        failure("j4", "KeyError", "'name'"),
        failure("j5", "keyerror", "'id'"),
        failure("j6", "Timeout", "after 9 s"),
        result("j7", FAILED),
        result("j8"),
        result("j9", SKIPPED),
    )
    assert await store.list_failure_groups("batch") == [
        FailureGroup("Timeout", 3, "after <*> s", "after 31 s", "j0"),
        FailureGroup("KeyError", 2, "<*>", "'id'", "j3"),
        FailureGroup("Timeout", 1, "after a while", "after a while", "j2"),
        FailureGroup("keyerror", 1, "<*>", "'id'", "j5"),
        FailureGroup("", 1, "", "", "j7"),
    ]


async def test_only_the_latest_attempt_is_grouped(store: BatchStore) -> None:
    """A retried failure counts with its latest outcome and error."""
    await create(store, 10)
    await create(store, 10, "other")
    await report(store, failure("a", "E"), failure("b", "E"), result("c", FAILED, batch_id="other"))
    await report(store, result("a", attempt=2), result("b", FAILED, attempt=2))
    assert await store.list_failure_groups("batch") == [FailureGroup("", 1, "", "", "b")]


async def test_groups_contain_only_jobs_of_their_batch(store: BatchStore) -> None:
    """A job of another batch may have the same id and the same error."""
    await create(store, 10)
    await create(store, 10, "other")
    await report(store, result("a", FAILED), result("a", FAILED, batch_id="other"))
    assert await store.list_failure_groups("batch") == [FailureGroup("", 1, "", "", "a")]


async def test_the_largest_groups_are_listed(store: BatchStore) -> None:
    """There may be more groups than the limit."""
    await create(store, 1_000)
    rare = [failure(f"rare-{number:03}", f"Rare{number:03}") for number in range(150)]
    await report(store, *rare, *(failure(f"often-{number}", "Zebra") for number in range(2)))
    groups = await store.list_failure_groups("batch")
    assert len(groups) == failures.FAILURE_GROUPS_MAX == 100
    assert [group.error_type for group in groups] == ["Zebra", *(f"Rare{number:03}" for number in range(99))]


async def test_failures_beyond_the_limit_are_not_read(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The groups are those of the first jobs."""
    monkeypatch.setattr(failures, "FAILURES_GROUPED_MAX", 5)
    await create(store, 10)
    await report(store, *(failure(f"j{number}", f"E{number // 4}") for number in reversed(range(8))))
    assert [(one.error_type, one.failed_jobs) for one in await store.list_failure_groups("batch")] == [
        ("E0", 4),
        ("E1", 1),
    ]


async def test_rows_without_a_fingerprint_are_grouped_by_type(store: BatchStore, database: Database) -> None:
    """Servers of schema 0001 write such rows."""
    await create(store, 10)
    await report(store, failure("new", "E", "row 1"), result("there"))
    columns = "batch_key, job_id, attempt, outcome, source, error_type, error_message, record_time"
    values = "batch_key, :job_id, 1, 2, 1, :error_type, 'row 2', record_time"
    copy = f"INSERT INTO job_results ({columns}) SELECT {values} FROM job_results WHERE job_id = 'there'"  # noqa: S608  # ours
    for job_id, error_type in (("old-1", "E"), ("old-2", "E"), ("old-3", None)):
        await execute(database, copy, job_id=job_id, error_type=error_type)
    assert await store.list_failure_groups("batch") == [
        FailureGroup("E", 2, "row <*>", "row 2", "old-1"),
        FailureGroup("E", 1, "row <*>", "row 1", "new"),
        FailureGroup("", 1, "row <*>", "row 2", "old-3"),
    ]


async def test_rows_with_an_outdated_fingerprint_are_grouped_by_type(
    store: BatchStore, database: Database
) -> None:
    """A server of schema 0001 that replaces a failure keeps the old fingerprint."""
    await create(store, 10)
    await report(store, failure("j1", "Timeout", "after 1 s"), failure("j2", "Timeout", "after 2 s"))
    values = "attempt = 2, error_type = 'KeyError', error_message = 'no such row'"
    await execute(database, f"UPDATE job_results SET {values} WHERE job_id = 'j1'")  # noqa: S608  # ours
    assert await store.list_failure_groups("batch") == [
        FailureGroup("KeyError", 1, "no such row", "no such row", "j1"),
        FailureGroup("Timeout", 1, "after <*> s", "after 2 s", "j2"),
    ]
