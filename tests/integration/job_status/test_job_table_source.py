"""A table with one row a job, on a real database."""

from collections.abc import AsyncIterator

import pytest

from batches.result import JobOutcome
from services.job_status.source import BatchUnknown, JobStatus, QueueContradiction
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.job_status.source_contract import SourceContract, listed


@pytest.fixture
def queue_url(new_database_url: str) -> str:
    """Return the URL of an empty database, on each engine in turn."""
    return new_database_url


@pytest.fixture
async def queue(queue_url: str) -> JobTableQueue:
    """Return the documented table, empty."""
    queue = JobTableQueue(queue_url)
    await queue.create()
    return queue


@pytest.fixture
async def source(queue_url: str) -> AsyncIterator[JobTableSource]:
    """Return the source over it."""
    source = JobTableSource(QueueDatabase(queue_url), "jobs")
    yield source
    await source.close()


class TestContract(SourceContract):
    """The job table keeps the contract of every source."""

    knows_the_end = False


async def test_order(queue: JobTableQueue, source: JobTableSource) -> None:
    """Jobs are listed in the order of their ids' bytes."""
    ids = ["b", "a", "B", "A", "_", "10", "9", "~", "!"]
    await queue.put("batch", dict.fromkeys(ids, "waiting"))
    assert [status.job_id for status in await listed(source, "batch", 2)] == sorted(ids)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_column_without_case(size: int, queue_url: str, source: JobTableSource) -> None:
    """Jobs that differ by case only are all listed, even from a column that takes them for one."""
    queue = JobTableQueue(queue_url)
    await queue.create_without_case()
    ids = ["a", "A", "b", "B", "aa", "AA", "aA", "Aa"]
    await queue.put("batch", dict.fromkeys(ids, "succeeded"))
    await queue.put("BATCH", {"a": "failed"})
    assert [status.job_id for status in await listed(source, "batch", size)] == sorted(ids)
    assert (await source.batch_counts("batch")).total == len(ids)


async def test_cancelled_batch(queue: JobTableQueue, source: JobTableSource) -> None:
    """What a cancellation kept from running is skipped, in counts and list; what runs is pending."""
    await queue.put("batch", {"a": "succeeded", "b": "waiting", "c": "running"})
    await queue.cancel("batch")
    counts = await source.batch_counts("batch")
    assert (counts.skipped, counts.pending, counts.cancelled) == (1, 1, True)
    outcomes = [status.outcome for status in await listed(source, "batch", 10)]
    assert outcomes == [JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, None]


async def test_job(queue: JobTableQueue, source: JobTableSource) -> None:
    """A job is listed with its attempt and its error, the error no longer than the contract carries."""
    row = {"job": "a", "state": "failed", "attempt": 3, "type": "RuntimeError", "message": "é" * 5_000}
    await queue.put_rows("batch", row)
    assert await listed(source, "batch", 10) == [
        JobStatus("a", JobOutcome.FAILED, 3, "RuntimeError", "é" * 2_000)
    ]


async def test_nothing_known_but_the_state(queue: JobTableQueue, source: JobTableSource) -> None:
    """A row needs no attempt and no error."""
    await queue.put_rows("batch", {"job": "a", "state": "failed", "attempt": None})
    assert await listed(source, "batch", 10) == [JobStatus("a", JobOutcome.FAILED)]


async def test_unknown_state(queue: JobTableQueue, source: JobTableSource) -> None:
    """A state that does not exist is a contradiction, in counts and list."""
    await queue.put("batch", {"a": "succeeded", "b": "done"})
    with pytest.raises(QueueContradiction):
        await source.batch_counts("batch")
    with pytest.raises(QueueContradiction):
        await source.job_page("batch", None, 10)


async def test_jobs_gone_between_pages(queue: JobTableQueue, source: JobTableSource) -> None:
    """A listing whose remaining jobs were deleted ends; one whose batch was deleted says so."""
    await queue.put("batch", {"a": "succeeded", "b": "succeeded"})
    await queue.remove("batch", "b")
    assert (await source.job_page("batch", "a", 10)).statuses == ()
    await queue.remove("batch", "a")
    with pytest.raises(BatchUnknown):
        await source.job_page("batch", "a", 10)


async def test_last_full_page(queue: JobTableQueue, source: JobTableSource) -> None:
    """A page that is full and the last one has no next page."""
    await queue.put("batch", dict.fromkeys("abcd", "waiting"))
    first = await source.job_page("batch", None, 2)
    assert first.next_key is not None
    assert (await source.job_page("batch", first.next_key, 2)).next_key is None
