"""Reads a queue's list of jobs page by page and compares it with what is recorded.

The whole list is read and checked before anything is written. If it is longer than one repair
may record, the following portions are read again from where the one before ended.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from batches.batch import Batch
from batches.result import StoredAttempt
from reconciler.queue.listing import Listing, ListingWalk, NotAscending, SeenJobs
from reconciler.queue.pages import JobPages
from reconciler.queue.port import JobQueue, QueueContradiction, QueueCounts

RESULTS_MAX = 10_000
"""Results that one repair records: a transaction of well under a second."""


class Attempts(Protocol):
    """The part of the store that knows which results are recorded."""

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> Mapping[str, StoredAttempt]:
        """Return what is recorded of a batch's jobs, and perhaps of others of its jobs, by job_id."""


class ListingReader:
    """Reads lists of jobs.

    Args:
        queue: The queue to ask.
        attempts: The store to compare with.
        results_max: How many results a listing may keep; at least 2.

    """

    def __init__(self, queue: JobQueue, attempts: Attempts, *, results_max: int = RESULTS_MAX) -> None:
        self._attempts = attempts
        self._results_max = results_max
        # A page's results are kept all or none, so that a portion can begin with a page. Two pages and the
        # result set aside make one repair: 4,999 jobs, just below the contract's limit of 5,000 a page.
        self._pages = JobPages(queue, max(1, (results_max - 1) // 2))

    async def read(self, batch: Batch, counts: QueueCounts) -> Listing:
        """Read the whole list.

        Raises:
            QueueError: The list cannot be read.
            QueueContradiction: The list has more jobs than the queue counts; raised without reading on.
            DatabaseUnavailable: The database does not answer.

        """
        try:
            return await self._read(batch, counts, SeenJobs(counts.total))
        except NotAscending:  # after some pages: they are read again, and remembered this time
            return await self._read(batch, counts, SeenJobs(counts.total, may_ascend=False))

    async def _read(self, batch: Batch, counts: QueueCounts, seen: SeenJobs) -> Listing:
        walk = ListingWalk(batch.batch_id, results_max=self._results_max)
        await self._walk(walk, batch.batch_key, "", seen=seen, jobs_max=counts.total)
        return replace(walk.listing(), has_duplicate=seen.has_duplicate())

    async def read_next_portion(self, batch: Batch, listing: Listing) -> Listing:
        """Read on after the results in `listing.missing` were recorded.

        Raises:
            QueueError: The list cannot be read.
            QueueContradiction: The list has changed since it was read as a whole.
            DatabaseUnavailable: The database does not answer.

        """
        walk = ListingWalk(batch.batch_id, results_max=self._results_max, for_last=listing.for_last)
        await self._walk(walk, batch.batch_key, listing.next_page_token, seen=None, jobs_max=listing.jobs)
        portion = walk.listing()
        rest = replace(
            portion,
            tally=listing.tally,
            pending=listing.pending,
            unreadable=listing.unreadable,
            problem=listing.problem,
            conflicting=listing.conflicting,
            new=listing.new - listing.new_in_missing,
            superseding=listing.superseding - (len(listing.missing) - listing.new_in_missing),
        )
        if walk.is_full != (rest.left_out > 0) or rest.left_out < 0:
            raise QueueContradiction("the queue's list of jobs changed while it was read")
        return rest

    async def _walk(
        self, walk: ListingWalk, batch_key: int, token: str, *, seen: SeenJobs | None, jobs_max: int
    ) -> None:
        async with aclosing(self._pages.read(walk.batch_id, token)) as pages:
            async for page_token, jobs in pages:
                job_ids = [job.job_id for job in jobs]
                if seen is not None:
                    seen.add(job_ids)
                stored = await self._attempts.read_attempts(batch_key, job_ids)
                walk.add_page(page_token, jobs, stored)
                if walk.jobs > jobs_max:
                    raise QueueContradiction(
                        f"the queue lists more jobs than the {jobs_max:,} that it counts"
                    )
                # Everything after a full portion was checked and counted when the whole list was read.
                if seen is None and walk.is_full:
                    return
