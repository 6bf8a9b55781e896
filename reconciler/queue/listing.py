"""The queue's list of a batch's jobs: walks its pages and keeps only what the decision needs.

The whole list is read, and checked, before anything is written. It may be far longer than
one repair may record: then as many results as a repair takes are kept, the rest is only
counted, and `go_on` reads on from where the first portion ended.

One new result is always kept for the last portion. It alone can fill the batch, so no
earlier portion completes it.
"""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain
from operator import lt
from typing import Protocol

from batches.batch import NO_JOBS, Batch, Tally
from batches.result import JobOutcome, JobResult, StoredAttempt
from reconciler.queue.port import JobPage, JobQueue, QueueContradiction, QueueCounts, QueueJob

RESULTS_MAX = 10_000
"""Results one repair records: one transaction of well under a second."""
EMPTY_PAGES_MAX = 100
"""A queue that filters may answer an empty page with a next one; so many say that the list never ends."""

_BUCKET_JOBS = 4_096
"""Jobs of which a set is made at a time: some 300 KiB."""


class Attempts(Protocol):
    """The part of the store that knows what is recorded."""

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> Mapping[str, StoredAttempt]:
        """Return what is recorded of a batch's jobs, by job_id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list of jobs says, beside what is recorded."""

    ended: Tally = NO_JOBS
    """Jobs listed as ended."""
    pending: int = 0
    """Jobs listed as pending."""
    new: int = 0
    """Ended jobs without a recorded result, those in `missing` included."""
    superseding: int = 0
    """Ended jobs of which a lower attempt is recorded, those in `missing` included."""
    conflicting: int = 0
    """Ended jobs whose attempt is recorded with another outcome; what is recorded stays."""
    listed_twice: bool = False
    missing: tuple[JobResult, ...] = ()
    """The first of the new and superseding results, at most RESULTS_MAX."""
    new_in_missing: int = 0
    next_page_token: str = ""
    """The first page whose results are not in `missing`; used only if there are some."""
    for_last: JobResult | None = None
    """The new result that the last portion carries, if this is not the last."""

    @property
    def jobs(self) -> int:
        """How many jobs are listed."""
        return self.ended.ended + self.pending

    @property
    def left_out(self) -> int:
        """How many new and superseding results are not in `missing`."""
        return self.new + self.superseding - len(self.missing)


class ListingReader:
    """Reads lists of jobs."""

    def __init__(self, queue: JobQueue, attempts: Attempts, *, results_max: int = RESULTS_MAX) -> None:
        """Take the queue, the store, and how many results a listing may keep (two at least)."""
        self._queue = queue
        self._attempts = attempts
        self._results_max = results_max
        # A page's results are kept all or none, so that reading on can begin at a page. Two pages and the
        # result set aside make one repair: 4,999 jobs, where the contract lets a page have 5,000.
        self._page_jobs = max(1, (results_max - 1) // 2)

    async def read(self, batch: Batch, counts: QueueCounts) -> Listing:
        """Read the whole list.

        Raises:
            QueueError, DatabaseUnavailable.
            QueueContradiction: also as soon as the list is longer than the queue's total.

        """
        walk = ListingWalk(batch.batch_id, results_max=self._results_max)
        seen = SeenJobs()
        await self._walk(walk, batch.batch_key, "", seen=seen, jobs_max=counts.total)
        return replace(walk.listing(), listed_twice=seen.has_twice())

    async def go_on(self, batch: Batch, listing: Listing) -> Listing:
        """Read the next portion of a list, after the results in `missing` were recorded.

        Raises:
            QueueError, DatabaseUnavailable.
            QueueContradiction: also if the list is not what it was.

        """
        walk = ListingWalk(batch.batch_id, results_max=self._results_max, for_last=listing.for_last)
        await self._walk(walk, batch.batch_key, listing.next_page_token, seen=None, jobs_max=listing.jobs)
        portion = walk.listing()
        rest = replace(
            portion,
            ended=listing.ended,
            pending=listing.pending,
            conflicting=listing.conflicting,
            new=listing.new - listing.new_in_missing,
            superseding=listing.superseding - (len(listing.missing) - listing.new_in_missing),
        )
        if walk.is_full != (rest.left_out > 0) or rest.left_out < 0:
            raise QueueContradiction("the queue's list of jobs changed while it was read")
        return rest

    async def _walk(
        self, walk: "ListingWalk", batch_key: int, token: str, *, seen: "SeenJobs | None", jobs_max: int
    ) -> None:
        async with aclosing(self._pages(walk.batch_id, token)) as pages:
            async for page_token, jobs in pages:
                job_ids = [job.job_id for job in jobs]
                if seen is not None:
                    seen.add(job_ids)
                stored = await self._attempts.read_attempts(batch_key, job_ids)
                walk.take(page_token, jobs, stored)
                if walk.jobs > jobs_max:
                    raise QueueContradiction(
                        f"the queue lists more jobs than the {jobs_max:,} that it counts"
                    )
                # What follows a full portion was checked and counted when the whole list was read.
                if seen is None and walk.is_full:
                    return

    async def _pages(self, batch_id: str, token: str) -> AsyncGenerator[tuple[str, Sequence[QueueJob]]]:
        """Yield the jobs of each page with its token; the next page is on its way meanwhile."""
        empty_pages = 0
        coming = asyncio.create_task(self._page(batch_id, token))
        try:
            while True:
                page = await coming
                empty_pages = 0 if page.jobs else empty_pages + 1
                self._check(page, token, empty_pages)
                if page.next_page_token:
                    coming = asyncio.create_task(self._page(batch_id, page.next_page_token))
                yield token, page.jobs
                if not page.next_page_token:
                    return
                token = page.next_page_token
        finally:
            coming.cancel()
            await asyncio.wait([coming])

    async def _page(self, batch_id: str, token: str) -> JobPage:
        return await self._queue.job_page(batch_id, token, self._page_jobs)

    def _check(self, page: JobPage, token: str, empty_pages: int) -> None:
        if len(page.jobs) > self._page_jobs:
            raise QueueContradiction("the queue lists more jobs on a page than it was asked for")
        if empty_pages > EMPTY_PAGES_MAX or (page.next_page_token and page.next_page_token == token):
            raise QueueContradiction("the queue's list of jobs does not end")


class ListingWalk:
    """What was listed so far, page after page. Pure."""

    def __init__(self, batch_id: str, *, results_max: int, for_last: JobResult | None = None) -> None:
        """Take the batch whose jobs are listed, how many results may be kept, and what was set aside."""
        self.batch_id = batch_id
        self.jobs = 0
        self._results_max = results_max
        self._ended = dict.fromkeys(JobOutcome, 0)
        self._new = 0 if for_last is None else 1
        self._superseding = self._conflicting = 0
        self._missing: list[JobResult] = []
        self._new_in_missing = 0
        self._for_last = for_last
        self._next_page_token: str | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more results are kept."""
        return self._next_page_token is not None

    def take(self, token: str, jobs: Sequence[QueueJob], stored: Mapping[str, StoredAttempt]) -> None:
        """Take a page: the token it was asked with, its jobs, and what is recorded of them."""
        self.jobs += len(jobs)
        new: list[JobResult] = []
        superseding: list[JobResult] = []
        for job in jobs:
            if job.outcome is None:
                continue
            self._ended[job.outcome] += 1
            recorded = stored.get(job.job_id)
            if recorded is None:
                new.append(_to_result(self.batch_id, job, job.outcome))
            elif job.attempt > recorded.attempt:
                superseding.append(_to_result(self.batch_id, job, job.outcome))
            elif job.attempt == recorded.attempt and job.outcome != recorded.outcome:
                self._conflicting += 1
        self._new += len(new)
        self._superseding += len(superseding)
        self._keep(token, new, superseding)

    def _keep(self, token: str, new: list[JobResult], superseding: list[JobResult]) -> None:
        """Keep the results of a page, all or none; none after a page that did not fit."""
        if self.is_full:
            return
        last = self._for_last or (new[-1] if new else None)
        others = [*(one for one in new if one is not last), *superseding]
        if len(self._missing) + len(others) >= self._results_max:
            self._next_page_token = token
            return
        self._for_last = last
        self._missing += others
        self._new_in_missing += len(others) - len(superseding)

    def listing(self) -> Listing:
        """Return what was listed."""
        last = () if self.is_full or self._for_last is None else (self._for_last,)
        ended = Tally(*(self._ended[outcome] for outcome in JobOutcome))
        return Listing(
            ended=ended,
            pending=self.jobs - ended.ended,
            new=self._new,
            superseding=self._superseding,
            conflicting=self._conflicting,
            missing=(*self._missing, *last),
            new_in_missing=self._new_in_missing + len(last),
            next_page_token=self._next_page_token or "",
            for_last=self._for_last if self.is_full else None,
        )


class SeenJobs:
    """Tells whether a job was listed twice, in eight bytes a job; in sixteen if the list does not ascend.

    Two jobs of a million share a hash once in some 40 million lists; then the batch is
    reported as an error and nothing is written. Python's hash differs from process to
    process, so the next pass sees no such thing.
    """

    def __init__(self) -> None:
        """Start with no job."""
        self._hashes = array("q")
        self._last = ""
        self._ascends = True

    def add(self, job_ids: Sequence[str]) -> None:
        """Note the jobs of a page."""
        self._hashes.extend(map(hash, job_ids))
        self._ascends = self._ascends and all(map(lt, chain((self._last,), job_ids), job_ids))
        self._last = job_ids[-1] if job_ids else self._last

    def has_twice(self) -> bool:
        """Whether a job was noted twice: never in a list that ascends, as most do."""
        return not self._ascends and any(len(set(bucket)) < len(bucket) for bucket in self._buckets())

    def _buckets(self) -> list["array[int]"]:
        """Return the hashes in buckets, equal ones in the same, so that only a bucket at a time is a set."""
        buckets = [array("q") for _ in range(1 + len(self._hashes) // _BUCKET_JOBS)]
        for number in self._hashes:
            buckets[number % len(buckets)].append(number)
        return buckets


def _to_result(batch_id: str, job: QueueJob, outcome: JobOutcome) -> JobResult:
    return JobResult(batch_id, job.job_id, outcome, job.attempt, job.error_type, job.error_message)
