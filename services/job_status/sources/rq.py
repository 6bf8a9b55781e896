"""RQ: the jobs whose ids are in a set in Redis, with their status from RQ's own hashes.

The jobs of a batch are the members of the set `batchprogress:jobs:<batch_id>`. The program that enqueues the
jobs writes it (one SADD, with an expiry of weeks). The set is necessary because RQ deletes results, by
default 500 seconds after a job succeeded, and with the result it removes the job, also from its `Group`. A
job in the set that RQ has deleted is pending: its outcome is unknown, so it is never reported as failed.

Without such a set, the `rq.group.Group` of that name is read, provided that RQ will not delete any of its
jobs: all were enqueued with `result_ttl=-1`, and without `ttl` or `failure_ttl`. Any other group is a
contradiction: it has lost jobs or will lose them, so its size is meaningless.

- A job's id is RQ's id. `finished` is succeeded, `failed` failed, `canceled` and `stopped` skipped, as our
  client reports them. Every other state is pending, including `deferred` behind a job that failed.
- A job that is retried is pending until its last retry. Our client counts the attempts in the job's hash.
  Without our client RQ counts them, but only retries requested by returning `Retry`, not those of
  `enqueue(retry=…)`.
- RQ cancels jobs, never a batch. Ids may be added at any time, so a batch is never `finished`.
- Only statuses and the text of errors are read, never a pickle.

Cost in Redis: the counts take the set and an HMGET per job. A complete listing takes the same for any number
of pages, plus an XREVRANGE per failed job, and without a set a second HMGET per job.
"""

from asyncio import Lock
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from rq.group import Group
from rq.job import Job
from rq.results import Result

from batches.result import JobOutcome
from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.source import BatchCounts, BatchUnknown, JobPage, QueueContradiction
from services.job_status.sources.chunks import chunked
from services.job_status.sources.listing_cache import ListingCache
from services.job_status.sources.redis import COMMANDS_PER_PIPELINE, Command, QueueRedis
from services.job_status.sources.rq_states import (
    FAILED,
    FIELDS,
    Fields,
    may_be_deleted,
    outcome_of,
    status_of,
)

JOBS_MAX = 1_000_000
"""The limit of a batch, whose ids are read at once. Half as many took 270 MiB, including 100 MiB of the idle
process, which is why only one batch is read at a time."""

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
        async for jobs in self._chunks_of_fields(ids, from_group=from_group):
            outcomes.update(map(outcome_of, jobs))
        return BatchCounts.of(outcomes, may_grow=True)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs in the order of their ids."""
        page, next_key = await self._listings.page(batch_id, after, size, self._listable_ids)
        jobs = dict(zip(page, await self._fields(page), strict=True))
        errors = await self._tracebacks([job_id for job_id, fields in jobs.items() if fields[0] == FAILED])
        statuses = tuple(status_of(job_id, fields, errors.get(job_id)) for job_id, fields in jobs.items())
        return JobPage(statuses, next_key)

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

    async def _chunks_of_fields(self, ids: JobIds, *, from_group: bool) -> AsyncIterator[list[Fields]]:
        """Yield the fields of jobs in chunks; QueueContradiction if RQ may delete a job of the group."""
        for chunk in chunked(ids, COMMANDS_PER_PIPELINE):
            jobs = await self._fields(chunk)
            if from_group and any(map(may_be_deleted, jobs)):
                raise QueueContradiction(
                    "RQ deletes jobs of this group: list their ids, or enqueue them with result_ttl=-1"
                )
            yield jobs

    async def _fields(self, ids: JobIds) -> list[Fields]:
        commands: list[Command] = [("HMGET", Job.key_for(job_id), *FIELDS) for job_id in ids]
        return await self._redis.execute(*commands)

    async def _tracebacks(self, ids: list[str]) -> dict[str, bytes | None]:
        """Return the traceback of each job's latest result, compressed."""
        commands: list[Command] = [
            ("XREVRANGE", Result.get_key(job_id), "+", "-", "COUNT", 1) for job_id in ids
        ]
        streams = await self._redis.execute(*commands)
        return {
            job_id: entries[0][1].get(b"exc_string") if entries else None
            for job_id, entries in zip(ids, streams, strict=True)
        }
