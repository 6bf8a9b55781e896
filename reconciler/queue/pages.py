"""Reads a queue's list of jobs page by page; the memory that it takes is that of two pages."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from reconciler.queue.port import JobPage, JobQueue, JobsNotListed, QueueContradiction, QueueJob

EMPTY_PAGES_MAX = 100
"""A queue that filters may return empty pages that are not the last; after this many in a row, the list is
taken to be endless."""
PAGE_JOBS = 5_000
"""The contract's limit."""


class JobPages:
    """Reads lists of jobs.

    Args:
        queue: The queue to ask.
        page_jobs: How many jobs to ask for at a time.

    """

    def __init__(self, queue: JobQueue, page_jobs: int = PAGE_JOBS) -> None:
        self._queue = queue
        self._page_jobs = page_jobs

    async def read(self, batch_id: str, token: str = "") -> AsyncGenerator[tuple[str, Sequence[QueueJob]]]:
        """Yield the token and the jobs of each page, while the next page is already being requested.

        Raises:
            QueueError: The list cannot be read.

        """
        empty_pages = 0
        request = asyncio.create_task(self._page(batch_id, token))
        try:
            while True:
                page = await request
                empty_pages = 0 if page.jobs else empty_pages + 1
                self._check(page, token, empty_pages)
                if page.next_page_token:
                    request = asyncio.create_task(self._page(batch_id, page.next_page_token))
                yield token, page.jobs
                if not page.next_page_token:
                    return
                token = page.next_page_token
        finally:
            request.cancel()
            await asyncio.wait([request])

    async def _page(self, batch_id: str, token: str) -> JobPage:
        return await self._queue.job_page(batch_id, token, self._page_jobs)

    def _check(self, page: JobPage, token: str, empty_pages: int) -> None:
        if len(page.jobs) > self._page_jobs:
            raise QueueContradiction("the queue lists more jobs on a page than requested")
        if empty_pages > EMPTY_PAGES_MAX or (page.next_page_token and page.next_page_token == token):
            raise QueueContradiction("the queue's list of jobs does not end")


async def pending_jobs(queue: JobQueue, batch_id: str) -> AsyncGenerator[list[QueueJob]]:
    """Yield the pending jobs of a batch, a page at a time, in the order of the queue.

    Raises:
        JobsNotListed: The queue keeps only counts; the message tells how many jobs are pending.
        QueueContradiction: The queue lists more jobs than it counts.
        QueueError: The queue gives no usable answer.

    """
    counts = await queue.batch_counts(batch_id)
    if not counts.lists_jobs:
        raise JobsNotListed(
            f"the queue keeps only counts and does not name its jobs; pending: {counts.pending:,}"
        )
    listed = 0
    async with aclosing(JobPages(queue).read(batch_id)) as pages:
        async for _, jobs in pages:
            listed += len(jobs)
            if listed > counts.total:
                raise QueueContradiction(
                    f"the queue lists more jobs than the {counts.total:,} that it counts"
                )
            yield [job for job in jobs if job.outcome is None]
