"""A table with one row per job in a real database."""

from collections.abc import AsyncIterator

import pytest

from batches.result import JobOutcome
from services.job_status.convert import to_job_status
from services.job_status.source import BatchUnknown, JobStatus
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from tests.integration.job_status.queues import Database, JobTableQueue
from tests.integration.job_status.source_contract import SourceContract, listed


@pytest.fixture
def queue_url(new_database_url: str) -> str:
    """Return the URL of an empty database of each engine."""
    return new_database_url


@pytest.fixture
async def queue(queue_url: str) -> JobTableQueue:
    """Return the documented table, empty."""
    queue = JobTableQueue(queue_url)
    await queue.create()
    return queue


@pytest.fixture
async def source(queue_url: str) -> AsyncIterator[JobTableSource]:
    """Yield the source over the queue."""
    source = JobTableSource(QueueDatabase(queue_url), "jobs")
    yield source
    await source.close()


class TestContract(SourceContract):
    """The contract of every source."""

    knows_the_end = False


async def test_jobs_are_listed_in_the_byte_order_of_their_ids(
    queue: JobTableQueue, source: JobTableSource
) -> None:
    ids = ["b", "a", "B", "A", "_", "10", "9", "~", "!"]
    await queue.put("batch", dict.fromkeys(ids, "waiting"))
    assert [status.job_id for status in await listed(source, "batch", 2)] == sorted(ids)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_ids_that_differ_only_by_case_are_different_jobs(
    size: int, queue_url: str, source: JobTableSource
) -> None:
    """The collation of the column may treat them as equal."""
    queue = JobTableQueue(queue_url)
    await queue.create_case_insensitive()
    ids = ["a", "A", "b", "B", "aa", "AA", "aA", "Aa"]
    await queue.put("batch", dict.fromkeys(ids, "succeeded"))
    await queue.put("BATCH", {"a": "failed"})
    assert [status.job_id for status in await listed(source, "batch", size)] == sorted(ids)
    assert (await source.batch_counts("batch")).total == len(ids)


async def test_cancelled_jobs_are_skipped(queue: JobTableQueue, source: JobTableSource) -> None:
    """Running jobs stay pending."""
    await queue.put("batch", {"a": "succeeded", "b": "waiting", "c": "running"})
    await queue.cancel("batch")
    counts = await source.batch_counts("batch")
    assert (counts.skipped, counts.pending, counts.cancelled) == (1, 1, True)
    outcomes = [status.outcome for status in await listed(source, "batch", 10)]
    assert outcomes == [JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, None]


async def test_job_has_an_attempt_and_an_error(queue: JobTableQueue, source: JobTableSource) -> None:
    """The error message is cut to the limit of the contract."""
    row = {"job": "a", "state": "failed", "attempt": 3, "type": "RuntimeError", "message": "é" * 5_000}
    await queue.put_rows("batch", row)
    assert await listed(source, "batch", 10) == [
        JobStatus("a", JobOutcome.FAILED, 3, "RuntimeError", "é" * 2_000)
    ]


async def test_attempt_and_error_are_optional(queue: JobTableQueue, source: JobTableSource) -> None:
    await queue.put_rows("batch", {"job": "a", "state": "failed", "attempt": None})
    assert await listed(source, "batch", 10) == [JobStatus("a", JobOutcome.FAILED)]


async def test_unreadable_row_is_pending_with_a_problem(queue: JobTableQueue, source: JobTableSource) -> None:
    """The other jobs of the batch are not affected."""
    await queue.put("batch", {"a": "succeeded", "b": "done"})
    await queue.put_rows("batch", {"job": "c", "state": "succeeded", "attempt": -1})
    other, *unreadable = await listed(source, "batch", 10)
    assert other == JobStatus("a", JobOutcome.SUCCEEDED)
    assert [(one.outcome, one.problem.split()[1]) for one in unreadable] == [
        (None, "state"),
        (None, "attempt"),
    ]
    counts = await source.batch_counts("batch")
    assert (counts.succeeded, counts.pending) == (1, 2)


UNREADABLE: dict[str, dict[str, object]] = {
    "an attempt beyond the contract": {"state": "succeeded", "attempt": 2**31},
    "an attempt in words": {"state": "succeeded", "attempt": "third"},
    "an attempt that is a fraction": {"state": "succeeded", "attempt": 1.5},
}


@pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("row", UNREADABLE.values(), ids=UNREADABLE)
async def test_value_of_any_type_is_pending_with_a_problem(
    row: dict[str, object], queue: JobTableQueue, source: JobTableSource
) -> None:
    """Only SQLite stores any value in any column. The counts and the listing agree."""
    await queue.put_rows("batch", {"job": "b", **row})
    (unreadable,) = await listed(source, "batch", 10)
    assert (unreadable.outcome, unreadable.problem[:10]) == (None, "its attemp")
    counts = await source.batch_counts("batch")
    assert (counts.succeeded, counts.pending) == (0, 1)


@pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("name", "outcome"), [("state", None), ("error_message", JobOutcome.FAILED)])
async def test_text_in_another_encoding_makes_only_its_job_unreadable(
    name: str, outcome: JobOutcome | None, queue: JobTableQueue, source: JobTableSource, queue_url: str
) -> None:
    """An error message may have any bytes. Only SQLite stores any bytes as a text."""
    await queue.put("batch", {"a": "failed", "b": "failed"})
    await Database(queue_url).run(f"UPDATE jobs SET {name} = CAST(x'e9' AS TEXT) WHERE job_id = 'a'")  # noqa: S608
    first, second = map(to_job_status, await listed(source, "batch", 10))
    assert (int(first.outcome), int(second.outcome)) == (outcome or 0, JobOutcome.FAILED)
    assert bool(first.problem) == (outcome is None)
    counts = await source.batch_counts("batch")
    assert (counts.failed, counts.pending) == (2 - (outcome is None), int(outcome is None))


async def test_listing_ends_if_the_remaining_jobs_are_deleted(
    queue: JobTableQueue, source: JobTableSource
) -> None:
    """If the whole batch is deleted, it is unknown."""
    await queue.put("batch", {"a": "succeeded", "b": "succeeded"})
    await queue.remove("batch", "b")
    assert (await source.job_page("batch", "a", 10)).statuses == ()
    await queue.remove("batch", "a")
    with pytest.raises(BatchUnknown):
        await source.job_page("batch", "a", 10)


async def test_last_page_that_is_full_has_no_next_key(queue: JobTableQueue, source: JobTableSource) -> None:
    await queue.put("batch", dict.fromkeys("abcd", "waiting"))
    first = await source.job_page("batch", None, 2)
    assert first.next_key is not None
    assert (await source.job_page("batch", first.next_key, 2)).next_key is None
