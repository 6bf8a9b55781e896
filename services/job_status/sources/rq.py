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
- RQ cancels jobs, never a batch.
- Only statuses and the text of errors are read, never a pickle.
"""

from rq.group import Group
from rq.job import Job
from rq.results import Result

from services.job_status.source import BatchCounts, BatchUnknown, JobPage, QueueContradiction
from services.job_status.sources.redis import Command, QueueRedis
from services.job_status.sources.rq_states import (
    FAILED,
    FIELDS,
    Fields,
    counts_of,
    may_be_forgotten,
    status_of,
)

LIST_KEY_PREFIX = "batchprogress:jobs:"


class RqSource:
    """Counts and jobs from RQ's hashes."""

    def __init__(self, redis: QueueRedis) -> None:
        """Take the queue's Redis."""
        self._redis = redis

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch."""
        return counts_of(await self._jobs(await self._ids(batch_id)))

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs in the order of their ids."""
        ids = [one for one in await self._ids(batch_id) if after is None or one > after]
        page = ids[:size]
        jobs = dict(zip(page, await self._jobs(page), strict=True))
        errors = await self._tracebacks([job_id for job_id, fields in jobs.items() if fields[0] == FAILED])
        statuses = tuple(status_of(job_id, fields, errors.get(job_id)) for job_id, fields in jobs.items())
        return JobPage(statuses, page[-1] if len(ids) > size else None)

    async def check(self) -> None:
        """Read a key."""
        await self._redis.ask(("EXISTS", LIST_KEY_PREFIX))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._redis.close()

    async def _ids(self, batch_id: str) -> list[str]:
        """Return the ids of all jobs of a batch, sorted."""
        listed, grouped = await self._redis.ask(
            ("SMEMBERS", f"{LIST_KEY_PREFIX}{batch_id}"), ("SMEMBERS", Group.get_key(batch_id))
        )
        ids = sorted(one.decode("ascii", "replace") for one in listed or grouped)
        if not ids:
            raise BatchUnknown
        if not listed and any(map(may_be_forgotten, await self._jobs(ids))):
            raise QueueContradiction("RQ forgets jobs of this group: list their ids, or keep their results")
        return ids

    async def _jobs(self, ids: list[str]) -> list[Fields]:
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
