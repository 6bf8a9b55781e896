"""What every source must do, whichever queue it asks."""

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

BATCH = "Sync-2026"
MIXED = {"a": "succeeded", "A": "failed", "b": "waiting", "c": "running", "d": "succeeded"}
ENDED = {"a": "succeeded", "A": "failed", "b": "succeeded"}


class SourceContract:
    """The rules; a subclass gives the fixtures `queue` (made, empty) and `source` (over that queue)."""

    knows_the_end = True
    """Whether the queue itself knows when no more jobs will be added to a batch."""

    async def test_counts(self, queue: Queue, source: JobStatusSource) -> None:
        """Jobs that wait or run are pending, and every job is counted once."""
        await queue.put(BATCH, MIXED)
        counts = await source.batch_counts(BATCH)
        assert (counts.total, counts.succeeded, counts.failed, counts.skipped, counts.pending) == (
            (5, 2, 1, 0, 2)
        )
        assert (counts.finished, counts.cancelled) == (False, False)

    async def test_finished(self, queue: Queue, source: JobStatusSource) -> None:
        """A batch whose jobs have all ended is finished, failures or not, where no more can be added."""
        await queue.put(BATCH, ENDED)
        counts = await source.batch_counts(BATCH)
        assert (counts.finished, counts.pending) == (self.knows_the_end, 0)

    async def test_cancelled(self, queue: Queue, source: JobStatusSource) -> None:
        """A cancelled batch is not finished while one of its jobs runs."""
        await queue.put(BATCH, MIXED)
        await queue.cancel(BATCH)
        counts = await source.batch_counts(BATCH)
        assert (counts.cancelled, counts.finished) == (True, False)
        assert counts.pending >= 1
        assert (
            counts.succeeded + counts.failed + counts.skipped + counts.pending == counts.total == len(MIXED)
        )

    async def test_neighbours(self, queue: Queue, source: JobStatusSource) -> None:
        """A batch's counts hold no job of another batch."""
        await queue.put(BATCH, ENDED)
        await queue.put(f"{BATCH}-2", MIXED)
        assert (await source.batch_counts(BATCH)).total == len(ENDED)

    async def test_unknown_batch(self, queue: Queue, source: JobStatusSource) -> None:
        """A batch the queue does not have is unknown, not empty."""
        await queue.put(BATCH, ENDED)
        with pytest.raises(BatchUnknown):
            await source.batch_counts("another")

    @pytest.mark.parametrize("other", [BATCH.lower(), BATCH.upper(), f"{BATCH}\t", f"{BATCH}%", "%"])
    async def test_bytes_of_batch_ids(self, other: str, queue: Queue, source: JobStatusSource) -> None:
        """Ids are compared byte for byte: one that only looks alike is unknown."""
        await queue.put(BATCH, ENDED)
        with pytest.raises(BatchUnknown):
            await source.batch_counts(other)

    async def test_check(self, queue: Queue, source: JobStatusSource) -> None:
        """A queue is ready when it can be read, even an empty one, and not before."""
        await source.check()
        await queue.break_off()
        with pytest.raises(QueueUnavailable):
            await source.check()

    async def test_queue_away(self, queue: Queue, source: JobStatusSource) -> None:
        """Without the queue nothing is known: no batch is said to be unknown."""
        await queue.put(BATCH, ENDED)
        await queue.break_off()
        with pytest.raises(QueueUnavailable):
            await source.batch_counts(BATCH)

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
    async def test_listing(self, size: int, queue: Queue, source: JobStatusSource) -> None:
        """A source that lists jobs lists each once in pages of any size, as its counts have them."""
        await queue.put(BATCH, MIXED)
        if not (await source.batch_counts(BATCH)).lists_jobs:
            with pytest.raises(JobsNotListed):
                await source.job_page(BATCH, None, size)
            return
        statuses = await listed(source, BATCH, size)
        counts = await source.batch_counts(BATCH)
        assert sorted(status.job_id for status in statuses) == sorted(MIXED)
        assert sum(status.outcome is None for status in statuses) == counts.pending

    async def test_listing_of_unknown_batch(self, queue: Queue, source: JobStatusSource) -> None:
        """A batch the queue does not have has no list of jobs, not even an empty one."""
        await queue.put(BATCH, MIXED)
        counts = await source.batch_counts(BATCH)
        with pytest.raises(BatchUnknown if counts.lists_jobs else JobsNotListed):
            await source.job_page("another", None, 10)


async def listed(source: JobStatusSource, batch_id: str, size: int) -> list[JobStatus]:
    """Return all jobs of a batch, read in pages of a size."""
    statuses: list[JobStatus] = []
    page = JobPage((), None)
    while not statuses or page.next_key is not None:
        page = await source.job_page(batch_id, page.next_key, size)
        assert len(page.statuses) <= size
        statuses += page.statuses
    return statuses
