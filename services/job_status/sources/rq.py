"""RQ: the jobs whose ids are in a list, each asked for its status.

A batch's jobs are the members of the Redis set `batchprogress:jobs:<batch_id>`, which whoever enqueues
them writes (one SADD, with an expiry of weeks). It is needed because RQ forgets: by default a result
after 500 seconds, and the job with it, also out of a `Group`. A job in the list that RQ has forgotten
is pending, for nobody knows how it ended; never failed.

Where there is no such list, the `rq.group.Group` of that name is read, if none of its jobs can be
forgotten: all enqueued with `result_ttl=-1`, and without a `ttl` or a `failure_ttl`. Any other group
has lost jobs or will, so that its size says nothing: a contradiction.

- A job's id is RQ's. `finished` succeeded, `failed` failed, `canceled` and `stopped` are skipped, as our
  client reports them; all other states are pending, also `deferred` behind a job that failed.
- A job that is retried is pending until its last retry. Attempts are counted by our client, in the job's
  hash; without it by RQ, which counts the retries that a job asked for by returning `Retry`, but not those
  of `enqueue(retry=…)`.
- RQ cancels jobs, never a batch; ids may be added at any time, so that no batch is called `finished`.
- Only statuses and the text of errors are read, never a pickle.

What it costs Redis: the counts are the list, and an HMGET for each job. A listing is the same, however many
pages it has, an XREVRANGE for each job that failed, and in a group without a list another HMGET for each.
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
from services.job_status.sources.listings import Listings
from services.job_status.sources.portions import portions
from services.job_status.sources.redis import COMMANDS_PER_TRIP, Command, QueueRedis
from services.job_status.sources.rq_states import (
    FAILED,
    FIELDS,
    Fields,
    may_be_forgotten,
    outcome_of,
    status_of,
)

JOBS_MAX = 1_000_000
"""Of a batch: their ids are read at once. Half of them took 270 MiB, of which the process itself is 100. So
one batch is read at a time."""

JobIds = Sequence[str]


class RqSource:
    """Counts and jobs from RQ's hashes."""

    def __init__(self, redis: QueueRedis) -> None:
        """Take the queue's Redis."""
        self._redis = redis
        self._listings = Listings()
        self._reading = Lock()

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch."""
        ids, are_kept = await self._ids(batch_id)
        outcomes: Counter[JobOutcome | None] = Counter()
        async for jobs in self._by_portions(ids, are_kept=are_kept):
            outcomes.update(map(outcome_of, jobs))
        return BatchCounts.of(outcomes, may_grow=True)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs in the order of their ids."""
        page, next_key = await self._listings.page(batch_id, after, size, self._kept_ids)
        jobs = dict(zip(page, await self._jobs(page), strict=True))
        errors = await self._tracebacks([job_id for job_id, fields in jobs.items() if fields[0] == FAILED])
        statuses = tuple(status_of(job_id, fields, errors.get(job_id)) for job_id, fields in jobs.items())
        return JobPage(statuses, next_key)

    async def check(self) -> None:
        """Read a key."""
        await self._redis.ask(("EXISTS", JOB_IDS_KEY_PREFIX))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._redis.close()

    async def _kept_ids(self, batch_id: str) -> JobIds:
        """Return the ids of all jobs of a batch, sorted; QueueContradiction if RQ forgets some."""
        ids, are_kept = await self._ids(batch_id)
        if not are_kept:
            async for _ in self._by_portions(ids, are_kept=False):
                pass
        return ids

    async def _ids(self, batch_id: str) -> tuple[JobIds, bool]:
        """Return the ids of a batch, sorted, and whether they are kept in a list: else RQ may forget some."""
        keys = (f"{JOB_IDS_KEY_PREFIX}{batch_id}", Group.get_key(batch_id))
        if max(await self._redis.ask(*(("SCARD", key) for key in keys))) > JOBS_MAX:
            raise QueueContradiction(f"it has more than {JOBS_MAX:,} jobs, which are too many to read")
        async with self._reading:  # what is read takes many times the memory of the ids in it
            listed, grouped = await self._redis.ask(*(("SMEMBERS", key) for key in keys))
            ids = sorted(one.decode("ascii", "replace") for one in listed or grouped)
        if not ids:
            raise BatchUnknown
        return ids, bool(listed)

    async def _by_portions(self, ids: JobIds, *, are_kept: bool) -> AsyncIterator[list[Fields]]:
        """Yield what is kept of jobs, some at a time; QueueContradiction if RQ forgets some of a batch."""
        for some in portions(ids, COMMANDS_PER_TRIP):
            jobs = await self._jobs(some)
            if not are_kept and any(map(may_be_forgotten, jobs)):
                raise QueueContradiction(
                    "RQ forgets jobs of this group: list their ids, or keep their results"
                )
            yield jobs

    async def _jobs(self, ids: JobIds) -> list[Fields]:
        commands: list[Command] = [("HMGET", Job.key_for(job_id), *FIELDS) for job_id in ids]
        return await self._redis.ask(*commands)

    async def _tracebacks(self, ids: list[str]) -> dict[str, bytes | None]:
        """Return what went wrong at last, packed, for each job."""
        commands: list[Command] = [
            ("XREVRANGE", Result.get_key(job_id), "+", "-", "COUNT", 1) for job_id in ids
        ]
        entries = await self._redis.ask(*commands)
        return {job_id: _field(entry, b"exc_string") for job_id, entry in zip(ids, entries, strict=True)}


def _field(entries: list[tuple[bytes, dict[bytes, bytes]]], name: bytes) -> bytes | None:
    """Return a field of the only entry of a stream, if there is one."""
    return entries[0][1].get(name) if entries else None
