"""How far a pass is, for a person who waits."""

from dataclasses import dataclass

from reconciler.queue.port import JobPage, JobQueue, QueueCounts


@dataclass(slots=True)
class PassProgress:
    """What a pass has done so far; the output reads it whenever it likes."""

    batches: int | None = None
    """Batches to check; None until they are listed."""
    checked: int = 0
    jobs_read: int = 0
    """Jobs read from the queue's lists; some are read again for the next portion of a repair."""

    def add_batches(self, number: int) -> None:
        """Add batches to check."""
        self.batches = (self.batches or 0) + number


class CountingQueue:
    """A queue that counts the jobs that it lists.

    Args:
        queue: The queue.
        progress: Where they are counted.

    """

    def __init__(self, queue: JobQueue, progress: PassProgress) -> None:
        self._queue = queue
        self._progress = progress

    async def batch_counts(self, batch_id: str, jobs: int = 0) -> QueueCounts:
        """Return the counts of a batch."""
        return await self._queue.batch_counts(batch_id, jobs)

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:
        """Return a page of jobs."""
        page = await self._queue.job_page(batch_id, page_token, size)
        self._progress.jobs_read += len(page.jobs)
        return page
