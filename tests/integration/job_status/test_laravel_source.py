"""Laravel's `job_batches` in a real database."""

from collections.abc import AsyncIterator

import grpc
import pytest

from services.job_status.source import QueueContradiction
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.laravel import LaravelSource
from tests.integration.job_status.answers import refused
from tests.integration.job_status.laravel_cells import LaravelCells
from tests.integration.job_status.queues import LaravelQueue
from tests.integration.job_status.servers import serving
from tests.integration.job_status.source_contract import SourceContract


@pytest.fixture
def queue_url(new_database_url: str) -> str:
    """Return the URL of an empty database of each engine."""
    return new_database_url


@pytest.fixture
async def queue(queue_url: str) -> LaravelQueue:
    """Return an application without batches."""
    queue = LaravelQueue(queue_url)
    await queue.create()
    return queue


@pytest.fixture
async def source(queue_url: str) -> AsyncIterator[LaravelSource]:
    """Yield the source over the queue."""
    source = LaravelSource(QueueDatabase(queue_url), "job_batches")
    yield source
    await source.close()


class TestContract(SourceContract):
    """The contract of every source."""


class TestCells(LaravelCells):
    """The column of Laravel in docs/job-status-source.md."""


IMPOSSIBLE_ROWS = {
    "negative pending_jobs": (3, -1, "pending_jobs is negative"),
    "more pending jobs than jobs": (3, 5, "pending_jobs is greater than total_jobs"),
}


@pytest.mark.parametrize(("total", "pending", "problem"), IMPOSSIBLE_ROWS.values(), ids=IMPOSSIBLE_ROWS)
async def test_numbers_that_cannot_be_true_are_answered_with_the_problem(
    total: int, pending: int, problem: str, queue: LaravelQueue, queue_url: str
) -> None:
    """The reconciler tells a person."""
    await queue.put_row("batch", total, pending, "[]")
    async with serving("laravel", queue_url) as client:
        answer = await refused(client.counts("batch"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "QUEUE_CONTRADICTION")
    assert answer.problem.startswith(problem)


@pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
async def test_text_that_is_not_utf8_is_a_contradiction_of_its_batch_only(
    queue: LaravelQueue, source: LaravelSource
) -> None:
    """Only SQLite stores such text; it looked like an unavailable queue."""
    await queue.put_row("broken", 3, 3, None)
    await queue.put_row("sound", 3, 3, None)
    await queue.set_raw_failed_ids("broken", b"[\xff")
    with pytest.raises(QueueContradiction, match="failed_job_ids is not valid JSON"):
        await source.batch_counts("broken")
    assert (await source.batch_counts("sound")).pending == 3
