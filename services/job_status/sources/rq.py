"""RQ: the jobs whose ids are in a set in Redis, with their status from RQ's own hashes.

The jobs of a batch are the members of the set `batchprogress:jobs:<batch_id>`. The program that enqueues the
jobs writes it (one SADD, with an expiry of weeks). The set is necessary because RQ deletes results, by
default 500 seconds after a job succeeded, and with the result it removes the job, also from its `Group`. A
job in the set that RQ has deleted is pending: its outcome is unknown, so it is never reported as failed.

Without such a set, the `rq.group.Group` of that name is read, provided that RQ will not delete any of its
jobs: all were enqueued with `result_ttl=-1`, and without `ttl` or `failure_ttl`. Any other group is a
contradiction: it has lost jobs or will lose them, so its size is meaningless.

- A job's id is RQ's id. `finished` is succeeded, `failed` failed, `canceled` and `stopped` skipped, as our
  client reports them. Every other state is pending, such as `scheduled`.
- A `deferred` job is skipped if RQ will not run it: a job that it depends on was cancelled or stopped, or has
  failed (unless the dependency allows that), or is itself skipped. At most 50 such dependencies in a row are
  followed. Any other deferred job is pending. If the failed job is run again by hand and succeeds, the jobs
  behind it run as a later attempt.
- A job that is retried is pending until its last retry. Our client counts the attempts in the job's hash.
  Without our client RQ counts them, but only retries requested by returning `Retry`, not those of
  `enqueue(retry=…)`.
- RQ cancels jobs, never a batch. Ids may be added at any time, so a batch is never `finished`.
- Only statuses, the text of errors and the name of the function are read, never a pickle. The name is read of
  jobs that have not succeeded, and not if their arguments are long.
- A job that cannot be read is pending, with a problem.

Cost in Redis: the counts take the set and an HMGET per job. A complete listing takes the same for any number
of pages, and without a set a second HMGET per job. Each job that has not succeeded takes an HSTRLEN and an
HGET more, each failed one a MEMORY USAGE and an XREVRANGE, each deferred one another HMGET.
"""

from asyncio import Lock
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from functools import partial

from rq.group import Group
from rq.job import Job
from rq.results import Result

from batches.result import JobOutcome
from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobStatus, QueueContradiction
from services.job_status.sources import rq_dependencies
from services.job_status.sources.chunks import chunked
from services.job_status.sources.listing_cache import ListingCache
from services.job_status.sources.redis import COMMANDS_PER_PIPELINE, Command, QueueRedis
from services.job_status.sources.rq_dependencies import DEFERRED, Dependent, never_run, parse_dependent
from services.job_status.sources.rq_states import (
    DESCRIPTION_BYTES_MAX,
    FIELDS,
    Fields,
    may_be_deleted,
    name_of,
    parse_error,
    status_of,
)
from services.job_status.sources.unreadable import Unreadable, status_or_problem

JOBS_MAX = 1_000_000
"""The limit of a batch, whose ids are read at once. Half as many took 270 MiB, including 100 MiB of the idle
process, which is why only one batch is read at a time."""

RESULT_BYTES_MAX = 256 * 1024
"""The results of a failed job that are read for its error: ten tracebacks, compressed, take a few KB."""
RESULTS_PER_READ = 100
"""At most 25 MB of them at a time."""

JobIds = Sequence[str]


class RqSource:
    """Reads counts and jobs from RQ's hashes in Redis."""

    def __init__(self, redis: QueueRedis) -> None:
        self._redis = redis
        self._listings = ListingCache()
        self._reading = Lock()

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch."""
        ids, from_group = await self._ids(batch_id)
        outcomes: Counter[JobOutcome | None] = Counter()
        async for chunk, jobs in self._chunks_of_fields(ids, from_group=from_group):
            outcomes.update(status.outcome for status in await self._statuses(chunk, jobs))
        return BatchCounts.of(outcomes, may_grow=True)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs in the order of their ids."""
        page, next_key = await self._listings.page(batch_id, after, size, self._listable_ids)
        statuses = await self._statuses(page, await self._hashes(page, FIELDS))
        unsuccessful = [one.job_id for one in statuses if one.outcome is not JobOutcome.SUCCEEDED]
        names = await self._names(unsuccessful)
        errors = await self._errors([one.job_id for one in statuses if one.outcome is JobOutcome.FAILED])
        return JobPage(tuple(_described(one, names, errors) for one in statuses), next_key)

    async def check(self) -> None:
        """Look up a key."""
        await self._redis.execute(("EXISTS", JOB_IDS_KEY_PREFIX))

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()

    async def _listable_ids(self, batch_id: str) -> JobIds:
        """Return the ids of all jobs of a batch, sorted; QueueContradiction if RQ may delete some."""
        ids, from_group = await self._ids(batch_id)
        if from_group:
            async for _ in self._chunks_of_fields(ids, from_group=True):
                pass
        return ids

    async def _ids(self, batch_id: str) -> tuple[JobIds, bool]:
        """Return the ids of a batch, sorted, and whether they are from a group: RQ deletes jobs of groups."""
        keys = (f"{JOB_IDS_KEY_PREFIX}{batch_id}", Group.get_key(batch_id))
        if max(await self._redis.execute(*(("SCARD", key) for key in keys))) > JOBS_MAX:
            raise QueueContradiction(f"it has more than {JOBS_MAX:,} jobs, the maximum that can be read")
        async with self._reading:  # decoding takes many times the memory of the ids
            listed, grouped = await self._redis.execute(*(("SMEMBERS", key) for key in keys))
            ids = sorted(one.decode("ascii", "replace") for one in listed or grouped)
        if not ids:
            raise BatchUnknown
        return ids, not listed

    async def _chunks_of_fields(
        self, ids: JobIds, *, from_group: bool
    ) -> AsyncIterator[tuple[JobIds, list[Fields | None]]]:
        """Yield ids and fields in chunks; QueueContradiction if RQ may delete a job of the group."""
        for chunk in chunked(ids, COMMANDS_PER_PIPELINE):
            jobs = await self._hashes(chunk, FIELDS)
            if from_group and any(fields and may_be_deleted(fields) for fields in jobs):
                raise QueueContradiction(
                    "RQ deletes jobs of this group: list their ids, or enqueue them with result_ttl=-1"
                )
            yield chunk, jobs

    async def _statuses(self, ids: JobIds, jobs: Sequence[Fields | None]) -> list[JobStatus]:
        """Return the jobs with these fields, without their errors and names."""
        deferred = [
            job_id for job_id, fields in zip(ids, jobs, strict=True) if fields and fields[0] == DEFERRED
        ]
        skipped = await self._never_run(deferred) if deferred else {}
        statuses = [
            status_or_problem(job_id, partial(status_of, job_id, fields))
            for job_id, fields in zip(ids, jobs, strict=True)
        ]
        return [
            replace(one, outcome=JobOutcome.SKIPPED) if one.job_id in skipped and not one.problem else one
            for one in statuses
        ]

    async def _never_run(self, deferred: JobIds) -> Collection[str]:
        """Return the ids of the deferred jobs that RQ will not run."""
        known: dict[str, Dependent] = {}
        level = sorted(deferred)
        for _ in range(rq_dependencies.LEVELS_MAX + 1):
            for chunk in chunked(level, COMMANDS_PER_PIPELINE):
                hashes = await self._hashes(chunk, rq_dependencies.FIELDS)
                known.update(zip(chunk, map(_dependent, hashes), strict=True))
            level = sorted({above for one in level for above in known[one].dependencies}.difference(known))
        return never_run(known)

    async def _hashes(self, ids: JobIds, fields: Sequence[str]) -> list[Fields | None]:
        """Return fields of the hash of each job; None for a key of another type."""
        commands: list[Command] = [("HMGET", Job.key_for(job_id), *fields) for job_id in ids]
        return await self._redis.execute_each(*commands)

    async def _names(self, ids: JobIds) -> dict[str, str]:
        """Return the name of the function of each job whose arguments are not long."""
        lengths: list[Command] = [("HSTRLEN", Job.key_for(job_id), "description") for job_id in ids]
        short = [
            job_id
            for job_id, length in zip(ids, await self._redis.execute_each(*lengths), strict=True)
            if length and length <= DESCRIPTION_BYTES_MAX
        ]
        commands: list[Command] = [("HGET", Job.key_for(job_id), "description") for job_id in short]
        return dict(zip(short, map(name_of, await self._redis.execute_each(*commands)), strict=True))

    async def _errors(self, ids: JobIds) -> dict[str, tuple[str, str]]:
        """Return the type and the message of each job's latest error, as far as they are not too large."""
        errors: dict[str, tuple[str, str]] = {}
        for chunk in chunked(ids, RESULTS_PER_READ):
            usages: list[Command] = [("MEMORY", "USAGE", Result.get_key(job_id)) for job_id in chunk]
            small = [
                job_id
                for job_id, size in zip(chunk, await self._redis.execute(*usages), strict=True)
                if size and size <= RESULT_BYTES_MAX
            ]
            commands: list[Command] = [
                ("XREVRANGE", Result.get_key(job_id), "+", "-", "COUNT", 1) for job_id in small
            ]
            for job_id, entries in zip(small, await self._redis.execute_each(*commands), strict=True):
                errors[job_id] = parse_error(entries[0][1].get(b"exc_string") if entries else None)
        return errors


def _dependent(fields: Fields | None) -> Dependent:
    """Return a job; of one that cannot be read it is not known that it will not run."""
    try:
        return parse_dependent(fields)
    except Unreadable:
        return Dependent(DEFERRED)


def _described(status: JobStatus, names: dict[str, str], errors: dict[str, tuple[str, str]]) -> JobStatus:
    error_type, error_message = errors.get(status.job_id, ("", ""))
    return replace(
        status,
        error_type=error_type,
        error_message=error_message,
        display_name=names.get(status.job_id, ""),
    )
