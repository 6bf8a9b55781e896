"""Laravel's `job_batches` in a real database."""

from collections.abc import AsyncIterator

import pytest

from services.job_status.source import BatchUnknown, QueueContradiction
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.laravel import LaravelSource
from tests.integration.job_status.queues import LaravelQueue
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


async def test_contradicting_numbers_are_passed_on(queue: LaravelQueue, source: LaravelSource) -> None:
    """The reconciler is the one to detect them."""
    await queue.put_row("batch", 3, 5, "[]")
    assert (await source.batch_counts("batch")).succeeded == -2


async def test_unreadable_failed_ids_are_a_contradiction(queue: LaravelQueue, source: LaravelSource) -> None:
    """Other batches are not affected."""
    await queue.put_row("broken", 3, 3, "[")
    await queue.put_row("sound", 3, 3, None)
    with pytest.raises(QueueContradiction):
        await source.batch_counts("broken")
    assert (await source.batch_counts("sound")).pending == 3


async def test_pruned_batch_is_unknown(queue: LaravelQueue, source: LaravelSource) -> None:
    """The ids are UUIDs, as in Laravel."""
    await queue.put("9b2f6c1e-7a53-4f0e-9d53-0e6a0c3f5a11", {"a": "succeeded"})
    assert (await source.batch_counts("9b2f6c1e-7a53-4f0e-9d53-0e6a0c3f5a11")).finished
    with pytest.raises(BatchUnknown):
        await source.batch_counts("9b2f6c1e-7a53-4f0e-9d53-0e6a0c3f5a12")
