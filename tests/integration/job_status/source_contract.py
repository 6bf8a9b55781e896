"""The contract of every source, whatever its queue."""

import asyncio
import time

import pytest

from services.job_status.source import (
    BatchUnknown,
    JobPage,
    JobsNotListed,
    JobStatus,
    JobStatusSource,
    QueueUnavailable,
)
from tests.integration.job_status.queues import Queue

WORK_SECONDS_MAX = 60.0
"""A worker of a queue starts within two seconds, later on a busy machine."""
POLL_SECONDS = 0.05

BATCH = "Sync-2026"
MIXED = {"a": "succeeded", "A": "failed", "b": "waiting", "c": "running", "d": "succeeded"}
ENDED = {"a": "succeeded", "A": "failed", "b": "succeeded"}


class SourceContract:
    """The rules. A subclass defines the fixtures `queue` (created, empty) and `source` (over that queue)."""

    knows_the_end = True
    """Whether the queue knows when no more jobs will be added to a batch."""
    cancels_batches = True
    """Whether the queue cancels batches, not only jobs."""

    async def test_each_job_is_counted_once(self, queue: Queue, source: JobStatusSource) -> None:
        """Waiting and running jobs are pending."""
        await queue.put(BATCH, MIXED)
        counts = await source.batch_counts(BATCH)
        assert (counts.total, counts.succeeded, counts.failed, counts.skipped, counts.pending) == (
            (5, 2, 1, 0, 2)
        )
        assert (counts.finished, counts.cancelled) == (False, False)

    async def test_batch_is_finished_when_all_jobs_have_ended(
        self, queue: Queue, source: JobStatusSource
    ) -> None:
        """Failed jobs have ended. If jobs may still be added, the batch is not finished."""
        await queue.put(BATCH, ENDED)
        counts = await source.batch_counts(BATCH)
        assert (counts.finished, counts.pending) == (self.knows_the_end, 0)

    async def test_cancelled_batch_is_not_finished_while_a_job_is_running(
        self, queue: Queue, source: JobStatusSource
    ) -> None:
        """Its waiting jobs are skipped, unless the queue keeps only counts."""
        await queue.put(BATCH, MIXED)
        await queue.cancel(BATCH)
        counts = await source.batch_counts(BATCH)
        assert (counts.cancelled, counts.finished) == (self.cancels_batches, False)
        assert counts.pending >= 1
        assert not counts.lists_jobs or (counts.skipped, counts.pending) == (1, 1)
        assert (
            counts.succeeded + counts.failed + counts.skipped + counts.pending == counts.total == len(MIXED)
        )

    async def test_jobs_of_other_batches_are_not_counted(self, queue: Queue, source: JobStatusSource) -> None:
        """The id of the other batch starts with the id of this one."""
        await queue.put(BATCH, ENDED)
        await queue.put(f"{BATCH}-2", MIXED)
        assert (await source.batch_counts(BATCH)).total == len(ENDED)

    async def test_unknown_batch_is_not_empty_but_unknown(
        self, queue: Queue, source: JobStatusSource
    ) -> None:
        """It raises BatchUnknown."""
        await queue.put(BATCH, ENDED)
        with pytest.raises(BatchUnknown):
            await source.batch_counts("another")

    @pytest.mark.parametrize("other", [BATCH.lower(), BATCH.upper(), f"{BATCH}\t", f"{BATCH}%", "%"])
    async def test_batch_ids_are_compared_byte_for_byte(
        self, other: str, queue: Queue, source: JobStatusSource
    ) -> None:
        """An id that is merely similar is unknown."""
        await queue.put(BATCH, ENDED)
        with pytest.raises(BatchUnknown):
            await source.batch_counts(other)

    async def test_check_passes_if_the_queue_can_be_read(self, queue: Queue, source: JobStatusSource) -> None:
        """It passes for an empty queue too."""
        await source.check()
        await queue.make_unavailable()
        with pytest.raises(QueueUnavailable):
            await source.check()

    async def test_no_batch_is_unknown_while_the_queue_is_unavailable(
        self, queue: Queue, source: JobStatusSource
    ) -> None:
        """It raises QueueUnavailable."""
        await queue.put(BATCH, ENDED)
        await queue.make_unavailable()
        with pytest.raises(QueueUnavailable):
            await source.batch_counts(BATCH)

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
    async def test_pages_of_any_size_list_each_job_once(
        self, size: int, queue: Queue, source: JobStatusSource
    ) -> None:
        """The listing matches the counts. A source that keeps only counts raises JobsNotListed."""
        await queue.put(BATCH, MIXED)
        if not (await source.batch_counts(BATCH)).lists_jobs:
            with pytest.raises(JobsNotListed):
                await source.job_page(BATCH, None, size)
            return
        statuses = await listed(source, BATCH, size)
        counts = await source.batch_counts(BATCH)
        assert sorted(status.job_id for status in statuses) == sorted(MIXED)
        assert sum(status.outcome is None for status in statuses) == counts.pending

    async def test_listing_of_an_unknown_batch_is_not_empty_but_unknown(
        self, queue: Queue, source: JobStatusSource
    ) -> None:
        """It raises BatchUnknown."""
        await queue.put(BATCH, MIXED)
        counts = await source.batch_counts(BATCH)
        with pytest.raises(BatchUnknown if counts.lists_jobs else JobsNotListed):
            await source.job_page("another", None, 10)


async def wait_until_pending(source: JobStatusSource, batch_id: str, pending: int) -> None:
    """Wait until at most this many jobs are pending."""
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while (await source.batch_counts(batch_id)).pending > pending:
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)


async def listed(source: JobStatusSource, batch_id: str, size: int) -> list[JobStatus]:
    """Return all jobs of a batch, read in pages of this size."""
    statuses: list[JobStatus] = []
    page = JobPage((), None)
    while not statuses or page.next_key is not None:
        page = await source.job_page(batch_id, page.next_key, size)
        assert len(page.statuses) <= size
        statuses += page.statuses
    return statuses
