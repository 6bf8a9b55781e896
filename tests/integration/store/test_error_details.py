"""The details of errors: kept for the first failures of each group, and read with the result of one job."""

from dataclasses import replace

import pytest
from sqlalchemy import event

from batches import error_details, failure_groups
from batches.errors import BatchNotFound, ResultNotFound
from batches.store import deletion
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import count_rows, create, differences, execute, recorded, report
from tests.support.samples import FAILED, detailed, failure, result


async def details(store: BatchStore, *job_ids: str) -> list[str]:
    """Return the details of jobs."""
    return [(await store.get_result("batch", job_id)).error_details for job_id in job_ids]


async def test_a_result_is_read_with_its_details(store: BatchStore) -> None:
    """Whatever their alphabet; a list of results has none."""
    longest = "🎉\n" * 3_000
    await create(store, 10)
    await report(store, detailed("a", longest), result("b"), failure("c", "E"))
    assert await details(store, "a", "b", "c") == [longest, "", ""]
    found = await store.get_result("batch", "a")
    assert (found.job_id, found.outcome, found.error_type, found.attempt) == ("a", FAILED, "E", 1)
    assert {one.error_details for one in (await recorded(store)).values()} == {""}


async def test_a_job_without_a_result_is_not_found(store: BatchStore) -> None:
    await create(store, 10)
    with pytest.raises(ResultNotFound, match="job a of batch batch has no recorded result"):
        await store.get_result("batch", "a")
    with pytest.raises(BatchNotFound):
        await store.get_result("other", "a")


async def test_details_of_the_first_failures_of_each_group_are_kept(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kinds without a group of their own share one."""
    monkeypatch.setattr(error_details, "DETAILED_FAILURES_MAX", 2)
    monkeypatch.setattr(failure_groups, "OWN_GROUPS_MAX", 1)
    await create(store, 100)
    await report(store, detailed("a1", "1"))
    await report(store, detailed("a2", "2"), detailed("a3", "3"))
    others = [replace(detailed(f"b{number}", "b"), error_type=f"Other{number}") for number in range(3)]
    await report(store, *others)
    assert await details(store, "a1", "a2", "a3", "b0", "b1", "b2") == ["1", "2", "", "b", "b", ""]


async def test_a_later_attempt_replaces_the_details(store: BatchStore, database: Database) -> None:
    """By its own, or by none; an earlier attempt that comes late changes nothing."""
    await create(store, 10)
    await report(store, detailed("a", "first"), detailed("b", "first"), detailed("c", "first"))
    await report(store, detailed("a", "second", attempt=2), result("b", attempt=2))
    await report(store, failure("c", "E", attempt=2), detailed("a", "late"))
    assert await details(store, "a", "b", "c") == ["second", "", ""]
    await report(store, detailed("b", "third", attempt=3))
    assert await details(store, "b") == ["third"]
    assert (await count_rows(database))["error_details"] == 2
    assert await differences(store) == []


async def test_details_that_an_older_server_left_are_neither_read_nor_in_the_way(
    store: BatchStore, database: Database
) -> None:
    """A server of schema 0009 replaces a failure without its details."""
    await create(store, 10)
    await report(store, detailed("a", "first"), detailed("b", "first"))
    await execute(database, "UPDATE job_results SET attempt = 2")
    assert await details(store, "a") == [""]
    assert [(one.name, one.kept) for one in await differences(store)] == [
        ("error_details without their failure", 2)
    ]
    await report(store, detailed("a", "third", attempt=3))
    assert await details(store, "a") == ["third"]
    assert await store.recount_failure_groups("batch")
    assert await differences(store) == []
    assert (await count_rows(database))["error_details"] == 1


async def test_reports_without_details_cost_no_statement_more(store: BatchStore, database: Database) -> None:
    """Neither first failures nor those that replace others."""
    statements: list[str] = []
    await create(store, 10)
    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *one: statements.append(one[2]))
    await report(store, failure("a", "E"), result("b"))
    await report(store, failure("a", "E", attempt=2))
    assert not [one for one in statements if "error_details" in one and "job_results" not in one]
    await report(store, detailed("c"))
    assert len([one for one in statements if "INTO error_details" in one]) == 1


async def test_details_are_deleted_with_their_batch_in_chunks(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are large, so one transaction deletes few of them."""
    monkeypatch.setattr(deletion, "CHUNK_ROWS", 2 * deletion.DETAIL_ROWS)
    await create(store, 5)
    await report(store, *(detailed(str(number)) for number in range(5)))
    await store.delete_batch("batch")
    assert (await count_rows(database))["error_details"] == 3
    while await store.delete_chunk():
        pass
    assert await count_rows(database) == {}
