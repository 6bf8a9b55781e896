"""Celery: the tasks of a saved group, with their results from the result backend.

A batch is a `GroupResult` saved under the batch's id: run `group(…).apply_async()` and `.save()` it, and the
group's id is the batch's id, or save any tasks with `GroupResult(batch_id, results).save()`. A job's id is
its task's id. A chain counts as its last task, a nested group as its tasks.

The tasks that `CeleryProgress.add` of our client publishes belong to the batch too. In Redis their ids are in
the set `batchprogress:jobs:<batch_id>`; in a database they are in groups whose ids start with the batch's id
and a space. Such a batch is never finished, because more tasks may be added. If `CeleryProgress.run` saves
more than a thousand tasks in a database, it splits them into the batch's own group and the groups
`<batch_id> run <n>`; such a batch can be finished.

- SUCCESS is succeeded, FAILURE failed, REVOKED skipped. Every other state is pending.
- A task without a stored result is pending: it has not run, its result has expired (`result_expires`, one day
  by default) or is ignored. Its outcome is unknown, so it is never reported as failed. An expired group is an
  unknown batch.
- A task that will be retried is pending. The attempt is 1 plus the retries if the application sets
  `result_extended`, else 1.
- Celery revokes tasks, never groups: a batch is never cancelled.
- Results must be JSON (`result_serializer`, Celery's default): pickles are never read. In a database that
  requires Celery 5.7: older versions store pickles there.

Celery's own backend classes are not used, because they block and import the classes that a stored error
names, and the one for databases unpickles and needs another driver.

Cost in Redis: the counts take a STRLEN and a GET of the group, an SCARD and an SMEMBERS of the added tasks,
and an MGET per hundred tasks. A complete listing takes the same for any number of pages, except that a page
whose size is not a multiple of a hundred takes one more MGET.
"""

from asyncio import Lock
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from celery.backends.base import KeyValueStoreBackend, decompress_payload
from celery.backends.database.models import Task, TaskSet
from sqlalchemy import case, column, func, null, or_, select, table

from batches.result import JobOutcome
from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.source import BatchCounts, BatchUnknown, JobPage, QueueContradiction
from services.job_status.sources.byte_order import bytes_equal
from services.job_status.sources.celery_states import (
    OUTCOMES,
    BatchTasks,
    TaskResult,
    outcome_of,
    parse_json,
    parse_result,
    parse_task_ids,
    status_of,
)
from services.job_status.sources.chunks import chunked
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.listing_cache import ListingCache
from services.job_status.sources.redis import Command, QueueRedis

KEYS_PER_READ = 100
"""A result in Redis includes the task's return value, which may be large: 100 results of 100 KB are 10 MB."""
ROWS_PER_READ = 1_000
"""A database returns no return values. A statement with 1,000 ids has 40 KB, below every driver's limit."""
GROUP_BYTES_MAX = 32 * 1024 * 1024
"""About 600,000 tasks; in Redis they are one value. Reading 500,000 took 374 MiB, including 100 MiB of the
idle process, which is why only one batch is read at a time."""
ADDED_TASKS_MAX = 600_000
"""The same number as in a group of GROUP_BYTES_MAX."""
TASKS_PER_COUNT = 1_000
"""Results, errors included, are released before the next ones are read: a few MB at a time for any batch
size."""


class ResultBackend(Protocol):
    """The store in which an application keeps its results."""

    async def batch_tasks(self, batch_id: str) -> BatchTasks | None:
        """Return the tasks of a batch, None if the backend has no such batch."""

    async def results(self, task_ids: Sequence[str]) -> list[TaskResult | None]:
        """Return the result of each task in their order, None for a task without a stored result."""

    async def check(self) -> None:
        """Make a minimal read."""

    async def close(self) -> None:
        """Close all connections."""


class CelerySource:
    """Reads counts and jobs from a result backend."""

    def __init__(self, backend: ResultBackend) -> None:
        self._backend = backend
        self._listings = ListingCache()

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the tasks of a batch."""
        tasks = await self._batch_tasks(batch_id)
        outcomes: Counter[JobOutcome | None] = Counter()
        for chunk in chunked(tasks.ids, TASKS_PER_COUNT):
            outcomes.update(map(outcome_of, await self._backend.results(chunk)))
        return BatchCounts.of(outcomes, may_grow=tasks.may_grow)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List tasks in the order of their ids."""
        page, next_key = await self._listings.page(batch_id, after, size, self._task_ids)
        results = await self._backend.results(page)
        statuses = tuple(status_of(*pair) for pair in zip(page, results, strict=True))
        return JobPage(statuses, next_key)

    async def check(self) -> None:
        """Make a minimal read."""
        await self._backend.check()

    async def close(self) -> None:
        """Close all connections."""
        await self._backend.close()

    async def _task_ids(self, batch_id: str) -> Sequence[str]:
        return (await self._batch_tasks(batch_id)).ids

    async def _batch_tasks(self, batch_id: str) -> BatchTasks:
        tasks = await self._backend.batch_tasks(batch_id)
        if tasks is None:
            raise BatchUnknown
        return tasks


class RedisResults:
    """Reads results in Redis, under the keys of Celery's backend."""

    def __init__(self, redis: QueueRedis) -> None:
        self._redis = redis
        self._reading = Lock()

    async def batch_tasks(self, batch_id: str) -> BatchTasks | None:
        """Return the tasks of the saved group and the added ones."""
        group_key, added_key = _group_key(batch_id), f"{JOB_IDS_KEY_PREFIX}{batch_id}"
        group_bytes, added_tasks = await self._redis.execute(("STRLEN", group_key), ("SCARD", added_key))
        if group_bytes > GROUP_BYTES_MAX or added_tasks > ADDED_TASKS_MAX:
            raise _too_large()
        async with self._reading:  # parsing takes many times the memory of the ids
            payload, added = await self._redis.execute(("GET", group_key), ("SMEMBERS", added_key))
            if payload is None and not added:
                return None
            groups: list[object] = [task_id.decode("utf-8", "replace") for task_id in added]
            if payload is not None:
                groups.append(_parse_group(payload))
            return BatchTasks(parse_task_ids(groups), may_grow=bool(added))

    async def results(self, task_ids: Sequence[str]) -> list[TaskResult | None]:
        """Return the result of each task."""
        results: list[TaskResult | None] = []
        for chunk in chunked(task_ids, KEYS_PER_READ):
            command: Command = ("MGET", *map(_task_key, chunk))
            (payloads,) = await self._redis.execute(command)
            results += [one and parse_result(parse_json(decompress_payload(one))) for one in payloads]
        return results

    async def check(self) -> None:
        """Look up a key."""
        await self._redis.execute(("EXISTS", _group_key("")))

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()


class DatabaseResults:
    """Reads results in the tables that Celery creates.

    Args:
        database: the result backend's database.
        extended: whether its tables have the columns of `result_extended`.

    """

    def __init__(self, database: QueueDatabase, *, extended: bool) -> None:
        self._database = database
        self._extended = extended
        self._reading = Lock()
        self._groups = table(TaskSet.__tablename__, *map(column, ("taskset_id", "result")))
        self._tasks = table(Task.__tablename__, *map(column, ("task_id", "status", "result", "retries")))

    async def batch_tasks(self, batch_id: str) -> BatchTasks | None:
        """Return the tasks of the batch's own group and of its parts.

        The batch is unknown without its own group, because parts may then be missing as well.
        """
        groups, part_prefix = self._groups.c, f"{batch_id} "
        is_part = groups.taskset_id.startswith(part_prefix, autoescape=True)
        of_batch = or_(bytes_equal(groups.taskset_id, batch_id), is_part)
        size = select(func.sum(func.length(groups.result))).where(of_batch)
        if ((await self._database.rows(size))[0][0] or 0) > GROUP_BYTES_MAX:
            raise _too_large()
        async with self._reading:  # parsing takes many times the memory of the ids
            rows = await self._database.rows(select(groups.taskset_id, groups.result).where(of_batch))
            # Keeps exact matches only: the collation of the column may ignore case.
            found = {one: parse_json(payload) for one, payload in rows if f"{one} ".startswith(part_prefix)}
            if batch_id not in found:
                return None
            is_from_run = all(one == batch_id or one.startswith(f"{batch_id} run ") for one in found)
            return BatchTasks(parse_task_ids(found.values()), may_grow=not is_from_run)

    async def results(self, task_ids: Sequence[str]) -> list[TaskResult | None]:
        """Return the result of each task."""
        found: dict[str, TaskResult] = {}
        tasks = self._tasks.c
        # Reads errors only: a task's return value may be large.
        error = case((tasks.status.in_(OUTCOMES.keys() - {"SUCCESS"}), tasks.result))
        retries = tasks.retries if self._extended else null()
        for chunk in chunked(task_ids, ROWS_PER_READ):
            query = select(tasks.task_id, tasks.status, error, retries).where(tasks.task_id.in_(chunk))
            for task_id, state, payload, count in await self._database.rows(query):
                found[task_id] = TaskResult(state, parse_json(payload) if payload else None, count)
        # Takes exact matches only: the collation of the column may ignore case.
        return [found.get(task_id) for task_id in task_ids]

    async def check(self) -> None:
        """Read at most one row."""
        await self._database.rows(select(self._tasks.c.task_id).limit(1))

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()


def _too_large() -> QueueContradiction:
    return QueueContradiction(f"it exceeds {GROUP_BYTES_MAX:,} bytes or {ADDED_TASKS_MAX:,} tasks")


def _parse_group(payload: bytes) -> object:
    """Return a group as Celery saves it in Redis; decompressed, it is subject to the same limit."""
    text = decompress_payload(payload)
    if len(text) > GROUP_BYTES_MAX:
        raise _too_large()
    saved = parse_json(text)
    return saved.get("result") if isinstance(saved, dict) else saved


def _group_key(group_id: str) -> str:
    return f"{KeyValueStoreBackend.group_keyprefix}{group_id}"


def _task_key(task_id: str) -> str:
    return f"{KeyValueStoreBackend.task_keyprefix}{task_id}"
