"""Failures in groups of similar errors, counted when they are recorded."""

import pytest

from batches import failure_groups as rules
from batches.failure_groups import FailureGroup
from batches.fingerprint import as_text, fingerprint_of
from batches.listing import ResultFilter
from batches.result import JobResult
from batches.store import failures, listings
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import count_rows, create, differences, execute, on_servers, report
from tests.support.samples import FAILED, RECONCILER, SKIPPED, failure, result


async def groups_of(store: BatchStore, batch_id: str = "batch") -> list[FailureGroup]:
    """Return all groups of a batch."""
    page = await store.list_failure_groups(batch_id, after=0, size=2_000)
    assert len(page.groups) == page.total_size
    return page.groups


async def sizes_of(store: BatchStore) -> list[tuple[str, int, str]]:
    """Return the error_type, the number of jobs and the sample of each group."""
    return [(one.error_type, one.failed_jobs, one.sample_job_id) for one in await groups_of(store)]


def group(  # the columns of the list
    error_type: str, failed_jobs: int, template: str, message: str, job_id: str
) -> FailureGroup:
    """Return a group with the fingerprint of its message."""
    fingerprint = as_text(fingerprint_of(error_type, message))
    return FailureGroup(error_type, failed_jobs, template, message, job_id, fingerprint)


def retry(job_id: str, error_type: str, attempt: int = 2) -> JobResult:
    """Return the failure of a later attempt."""
    return JobResult("batch", job_id, FAILED, attempt, error_type)


async def test_similar_errors_are_one_group(store: BatchStore) -> None:
    """The largest groups are first, then they are in the order of their fingerprints."""
    await create(store, 100)
    await report(
        store,
        failure("j1", "Timeout", "after 30 s"),
        failure("j0", "Timeout", "after 31 s"),
        failure("j2", "Timeout", "after a while"),
        failure("j3", "KeyError", "'id'"),
        failure("j4", "KeyError", "'name'"),
        failure("j5", "keyerror", "'id'"),
    )
    await report(
        store,
        failure("j6", "Timeout", "after 9 s"),
        result("j7", FAILED),
        result("j8"),
        result("j9", SKIPPED),
    )
    singles = [
        group("Timeout", 1, "after a while", "after a while", "j2"),
        group("keyerror", 1, "<*>", "'id'", "j5"),
        group("", 1, "", "", "j7"),
    ]
    assert await groups_of(store) == [
        group("Timeout", 3, "after <*> s", "after 31 s", "j0"),
        group("KeyError", 2, "<*>", "'id'", "j3"),
        *sorted(singles, key=lambda one: one.fingerprint),
    ]


async def test_only_the_latest_attempt_is_grouped(store: BatchStore) -> None:
    """A retried failure counts with its latest outcome and error, also within one transaction."""
    await create(store, 10)
    await create(store, 10, "other")
    await report(store, failure("a", "E"), failure("b", "E"), result("c", FAILED, batch_id="other"))
    await report(store, result("a", attempt=2), retry("b", "F"), failure("d", "E"), retry("d", "F"))
    assert await sizes_of(store) == [("F", 2, "b")]
    assert await differences(store) == []


async def test_reports_that_change_nothing_are_not_counted(store: BatchStore) -> None:
    """A duplicate, an outdated attempt and a conflict."""
    await create(store, 10)
    await report(store, retry("a", "E"))
    await report(
        store, retry("a", "E"), failure("a", "E"), result("a", attempt=2), result("z", batch_id="no")
    )
    assert await sizes_of(store) == [("E", 1, "a")]


async def test_groups_contain_only_jobs_of_their_batch(store: BatchStore) -> None:
    """A job of another batch may have the same id and the same error."""
    await create(store, 10)
    await create(store, 10, "other")
    await report(store, result("a", FAILED), result("a", FAILED, batch_id="other"))
    assert await groups_of(store) == [group("", 1, "", "", "a")]


async def test_a_repair_counts_its_failures(store: BatchStore) -> None:
    """The reconciler's results take the same way as reports."""
    await create(store, 10)
    await report(store, failure("a", "E"))
    await report(store, failure("b", "E"), retry("a", "F"), source=RECONCILER)
    assert sorted(await sizes_of(store)) == [("E", 1, "b"), ("F", 1, "a")]


async def test_groups_are_listed_in_pages(store: BatchStore) -> None:
    """Each page tells how many groups there are."""
    await create(store, 100)
    await report(store, *(failure(f"j{n:02}", f"E{n % 7}") for n in range(20)))
    pages = [await store.list_failure_groups("batch", after=after, size=3) for after in (0, 3, 6, 9)]
    assert [len(page.groups) for page in pages] == [3, 3, 1, 0]
    assert {page.total_size for page in pages} == {7}
    assert [one for page in pages for one in page.groups] == await groups_of(store)


async def test_further_kinds_are_one_group(store: BatchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the last one, and a later attempt takes its failure off it."""
    monkeypatch.setattr(rules, "OWN_GROUPS_MAX", 3)
    await create(store, 100)
    await report(store, failure("a", "A"), failure("b", "B"))
    await report(store, *(failure(f"f{n}", f"F{n}") for n in range(4)), failure("c", "C"), failure("d", "C"))
    own = [("C", 2), ("A", 1), ("B", 1)]
    listed = await groups_of(store)
    assert sorted((one.error_type, one.failed_jobs) for one in listed[:-1]) == sorted(own)
    assert listed[-1] == FailureGroup("", 4, "", "", "", "")
    await report(store, retry("f0", "A"), retry("a", "F9"), result("f1", attempt=2))
    assert [(one.error_type, one.failed_jobs) for one in await groups_of(store)][-1] == ("", 3)
    assert await differences(store) == []


async def test_kind_of_a_group_without_jobs_keeps_its_group(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the group of a failure never changes."""
    monkeypatch.setattr(rules, "OWN_GROUPS_MAX", 1)
    await create(store, 100)
    await report(store, failure("a", "A"), failure("b", "A"))
    await report(store, result("a", attempt=2), result("b", attempt=2), failure("c", "C"))
    assert await groups_of(store) == [FailureGroup("", 1, "", "", "", "")]
    await report(store, failure("d", "A"))
    assert await sizes_of(store) == [("A", 1, "d"), ("", 1, "")]


async def test_sample_that_left_its_group_is_replaced_by_the_next_job(store: BatchStore) -> None:
    """The sample is always a job of the group."""
    await create(store, 100)
    await report(store, *(failure(f"j{n}", "E", f"row {n}") for n in range(3)), failure("k", "F"))
    await report(store, result("j0", attempt=2), retry("j1", "F"))
    assert sorted(await groups_of(store), key=lambda one: one.error_type) == [
        group("E", 1, "row <*>", "row 2", "j2"),
        group("F", 2, "", "", "j1"),
    ]


async def test_sample_without_a_job_keeps_its_error(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next job of the group is searched for in a bounded number of failures."""
    monkeypatch.setattr(failures, "FAILURES_SEARCHED_MAX", 2)
    await create(store, 100)
    await report(store, *(failure(f"a{n}", "Often") for n in range(4)), failure("a", "E", "row 1"))
    await report(store, failure("b", "E", "row 2"), result("a", attempt=2))
    assert await groups_of(store) == [group("Often", 4, "", "", "a0"), group("E", 1, "row <*>", "row 1", "")]


async def test_results_are_filtered_by_fingerprint(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page searches a bounded number of failures: it may be short and still have a successor."""
    monkeypatch.setattr(listings, "RESULTS_SEARCHED_MAX", 5)
    await create(store, 100)
    await report(store, *(failure(f"j{n:02}", f"E{n // 8}") for n in range(20)), result("j001"))
    sought = ResultFilter(fingerprint=fingerprint_of("E1", ""))
    pages, after = list[list[str]](), None
    while after is not None or not pages:
        page = await store.list_results("batch", sought, after_job_id=after, size=3)
        pages, after = [*pages, [one.job_id for one in page.items]], page.next_key
    assert pages == [[], ["j08", "j09"], ["j10", "j11", "j12"], ["j13", "j14", "j15"], []]
    others = ResultFilter(SKIPPED, fingerprint=fingerprint_of("E1", ""))
    assert (await store.list_results("batch", others, after_job_id=None, size=3)).items == []


async def test_groups_are_read_from_rows_until_they_are_counted_again(
    store: BatchStore, database: Database
) -> None:
    """Servers of version 0.1 record failures without counting them."""
    await create(store, 100)
    await report(store, failure("a", "A"), failure("b", "B"), failure("c", "B"))
    await record_without_counting(database, "x", "A")
    await record_without_counting(database, "y", "A")
    assert await sizes_of(store) == [("A", 3, "a"), ("B", 2, "b")]
    await report(store, result("x", attempt=2), failure("z", "B"))
    assert await sizes_of(store) == [("B", 3, "b"), ("A", 2, "a")]
    assert [(one.kept, one.expected) for one in await differences(store)] == [(0, 2)]
    assert await store.recount_failure_groups("batch")
    assert await differences(store) == []
    await report(store, result("y", attempt=2))
    assert await sizes_of(store) == [("B", 3, "b"), ("A", 1, "a")]
    assert await differences(store) == []


async def test_groups_of_many_failures_are_not_counted_again(
    store: BatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports of the batch wait for as long as it takes."""
    monkeypatch.setattr("batches.store.failure_groups.RECOUNTED_FAILURES_MAX", 1)
    await create(store, 100)
    await report(store, failure("a", "A"), failure("b", "B"))
    assert not await store.recount_failure_groups("batch")
    assert len(await groups_of(store)) == 2


async def test_counting_rows_reads_them_in_portions(
    store: BatchStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts, the first jobs and the limits are those of one portion."""
    monkeypatch.setattr("batches.store.failure_groups.COUNTED_ROWS", 2)
    await create(store, 100)
    await report(store, *(failure(f"j{n}", f"E{n % 3}") for n in range(8)))
    await execute(database, "DELETE FROM failure_groups")
    assert sorted(await sizes_of(store)) == [("E0", 3, "j0"), ("E1", 3, "j1"), ("E2", 2, "j2")]
    monkeypatch.setattr(failures, "FAILURES_GROUPED_MAX", 5)
    assert sorted(await sizes_of(store)) == [("E0", 2, "j0"), ("E1", 2, "j1"), ("E2", 1, "j2")]
    assert await store.recount_failure_groups("batch")
    assert sorted(await sizes_of(store)) == [("E0", 3, "j0"), ("E1", 3, "j1"), ("E2", 2, "j2")]


async def test_rows_without_a_fingerprint_are_of_further_kinds(store: BatchStore, database: Database) -> None:
    """Servers of schema 0001 wrote such rows."""
    await create(store, 10)
    await report(store, failure("a", "E"), failure("b", "E"))
    await execute(database, "UPDATE job_results SET error_kind = NULL WHERE job_id = 'b'")
    assert await store.recount_failure_groups("batch")
    assert await sizes_of(store) == [("E", 1, "a"), ("", 1, "")]
    await report(store, result("b", attempt=2))
    assert await sizes_of(store) == [("E", 1, "a")]


async def test_successes_write_no_groups(store: BatchStore, database: Database) -> None:
    """Only failures have groups."""
    await create(store, 10)
    await report(store, result("a"), result("b", SKIPPED))
    await report(store, result("a", attempt=2))
    assert (await count_rows(database)).keys() == {"batches", "job_results"}


async def record_without_counting(database: Database, job_id: str, error_type: str) -> None:
    """Record a failure of the batch as version 0.1 does."""
    columns = "batch_key, job_id, attempt, outcome, source, error_type, error_kind, record_time"
    values = "batch_key, :job_id, 1, 2, 1, :error_type, :error_kind, create_time"
    await execute(
        database,
        f"INSERT INTO job_results ({columns}) SELECT {values} FROM batches WHERE batch_id = 'batch'",  # noqa: S608  # ours
        job_id=job_id,
        error_type=error_type,
        error_kind=fingerprint_of(error_type, ""),
    )
    await execute(database, "UPDATE batches SET failed_jobs = failed_jobs + 1, revision = revision + 1")


@on_servers
async def test_counting_causes_no_warnings(store: BatchStore, caplog: pytest.LogCaptureFixture) -> None:
    """The driver reads and logs each of them."""
    await create(store, 10)
    for job_id in ("a", "b"):
        await report(store, failure(job_id, "E"))
    assert [one.getMessage() for one in caplog.records if one.name.startswith("asyncmy")] == []
