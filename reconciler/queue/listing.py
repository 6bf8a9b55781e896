"""What a queue's list of jobs says, as far as a decision needs it. Pure.

A list may be far longer than one repair may record. Then only as many results are kept as one
repair takes, and the rest is counted; `ListingReader` reads on from where that portion ended.

One new result is always set aside for the last portion. Only with it can the batch be full, so
no earlier portion completes the batch.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import lt

from batches.batch import NO_JOBS, Tally
from batches.look import PENDING_JOBS_MAX, PendingJob
from batches.result import JobOutcome, JobResult, StoredAttempt
from reconciler.queue.port import QueueJob

BUCKET_JOBS = 4_096
"""Duplicates are searched with one set of this many jobs at a time: about 300 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list of jobs says, compared with what is recorded."""

    tally: Tally = NO_JOBS
    """Jobs listed as ended."""
    pending: int = 0
    """Jobs listed as pending, including the unreadable ones."""
    first_pending: tuple[PendingJob, ...] = ()
    """The first PENDING_JOBS_MAX of them, in ascending byte order of job_id."""
    unreadable: int = 0
    """Jobs that the queue's service cannot read."""
    problem: str = ""
    """What is wrong with the first of them."""
    new: int = 0
    """Ended jobs without a recorded result, including those in `missing`."""
    superseding: int = 0
    """Ended jobs recorded with a lower attempt, including those in `missing`."""
    conflicting: int = 0
    """Ended jobs whose attempt is recorded with another outcome; the recorded one stays."""
    has_duplicate: bool = False
    """Whether a job is listed more than once."""
    missing: tuple[JobResult, ...] = ()
    """The first of the new and superseding results, as many as one repair records."""
    new_in_missing: int = 0
    next_page_token: str = ""
    """The first page whose results are not in `missing`; meaningful only if some are left out."""
    for_last: JobResult | None = None
    """The new result set aside for the last portion; None if this is the last."""

    @property
    def jobs(self) -> int:
        """How many jobs are listed."""
        return self.tally.ended + self.pending

    @property
    def left_out(self) -> int:
        """How many new and superseding results are not in `missing`."""
        return self.new + self.superseding - len(self.missing)


class ListingWalk:
    """Adds up a list page by page.

    Args:
        batch_id: The batch whose jobs are listed.
        results_max: How many results may be kept.
        for_last: The result that an earlier portion set aside; None in the first portion.

    """

    def __init__(self, batch_id: str, *, results_max: int, for_last: JobResult | None = None) -> None:
        self.batch_id = batch_id
        self.jobs = 0
        self._results_max = results_max
        self._ended = dict.fromkeys(JobOutcome, 0)
        self._new = self._superseding = self._conflicting = 0
        self._first_pending: list[QueueJob] = []
        self._missing: list[JobResult] = []
        self._new_in_missing = 0
        self._for_last = for_last
        self._next_page_token: str | None = None
        self._unreadable = 0
        self._problem = ""

    @property
    def is_full(self) -> bool:
        """Whether no more results are kept."""
        return self._next_page_token is not None

    def add_page(self, token: str, jobs: Sequence[QueueJob], stored: Mapping[str, StoredAttempt]) -> None:
        """Add a page.

        Args:
            token: The token that the page was requested with.
            jobs: The jobs of the page.
            stored: What is recorded of these jobs, and perhaps of others, by job_id.

        """
        self.jobs += len(jobs)
        # Column by column: an attribute of each job would take longer than the rest of it.
        job_ids, outcomes, attempts, *_ = zip(*jobs, strict=True) if jobs else ((), (), ())
        for outcome in JobOutcome:
            self._ended[outcome] += outcomes.count(outcome)
        new: list[JobResult] = []
        superseding: list[JobResult] = []
        pending: list[QueueJob] = []
        recorded_of = map(stored.get, job_ids)
        for job, outcome, attempt, recorded in zip(jobs, outcomes, attempts, recorded_of, strict=True):
            if recorded is not None and outcome is recorded.outcome and attempt == recorded.attempt:
                continue  # nearly every job
            if outcome is None:
                pending.append(job)
                self._unreadable += bool(job.problem)
                self._problem = self._problem or job.problem
            elif recorded is None:
                new.append(_to_result(self.batch_id, job, outcome))
            elif attempt > recorded.attempt:
                superseding.append(_to_result(self.batch_id, job, outcome))
            elif attempt == recorded.attempt:
                self._conflicting += 1
        self._new += len(new)
        self._superseding += len(superseding)
        if pending:
            self._keep_pending(pending)
        self._keep(token, new, superseding)

    def _keep_pending(self, jobs: Iterable[QueueJob]) -> None:
        """Keep the jobs with the lowest ids: a queue may list its jobs in any order."""
        self._first_pending = sorted((*self._first_pending, *jobs))[:PENDING_JOBS_MAX]

    def _keep(self, token: str, new: list[JobResult], superseding: list[JobResult]) -> None:
        """Keep all results of a page or none; none after a page that did not fit."""
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
        """Return what was added so far."""
        last = () if self.is_full or self._for_last is None else (self._for_last,)
        tally = Tally(*(self._ended[outcome] for outcome in JobOutcome))
        return Listing(
            tally=tally,
            pending=self.jobs - tally.ended,
            first_pending=tuple(
                PendingJob(job.job_id, job.display_name, job.attempt) for job in self._first_pending
            ),
            unreadable=self._unreadable,
            problem=self._problem,
            new=self._new,
            superseding=self._superseding,
            conflicting=self._conflicting,
            missing=(*self._missing, *last),
            new_in_missing=self._new_in_missing + len(last),
            next_page_token=self._next_page_token or "",
            for_last=self._for_last if self.is_full else None,
        )


class NotAscending(Exception):
    """Jobs were added in ascending order, and are no longer: a duplicate may be among them."""


class SeenJobs:
    """Finds out whether a list names a job twice.

    While its job ids ascend, in the byte order of ASCII, none is named twice, and only the last one is kept.
    For a list in another order it keeps hashes, not names, in eight bytes of memory for each job. Two of a
    million jobs share a hash in one of some 40 million lists; such a batch is reported as an error, and
    nothing is written. The next pass is not affected, since Python's hashes differ from process to process.

    Args:
        jobs_max: How many jobs to expect.
        may_ascend: Whether the jobs may be in ascending order; False for a list that was found not to be.

    """

    def __init__(self, jobs_max: int, *, may_ascend: bool = True) -> None:
        self._jobs_max = jobs_max
        self._buckets: list[array[int]] | None = None if may_ascend else self._new_buckets()
        self._last = ""

    def _new_buckets(self) -> "list[array[int]]":
        # Equal hashes are in the same bucket, so only a bucket at a time has to be a set.
        return [array("q") for _ in range(max(1, self._jobs_max // BUCKET_JOBS))]

    def add(self, job_ids: Sequence[str]) -> None:
        """Add the jobs of a page.

        Raises:
            NotAscending: Only the jobs before ascend: add all of them to one for lists in another order.

        """
        if self._buckets is None:
            if all(map(lt, (self._last, *job_ids), job_ids)):
                self._last = job_ids[-1] if job_ids else self._last
                return
            if self._last:
                raise NotAscending
            self._buckets = self._new_buckets()
        for job_hash in map(hash, job_ids):
            self._buckets[job_hash % len(self._buckets)].append(job_hash)

    def has_duplicate(self) -> bool:
        """Return whether a job was added twice."""
        return any(len(set(bucket)) < len(bucket) for bucket in self._buckets or ())


def _to_result(batch_id: str, job: QueueJob, outcome: JobOutcome) -> JobResult:
    error = (job.error_type, job.error_message)
    return JobResult(batch_id, job.job_id, outcome, job.attempt, *error, job.display_name)
