"""Celery: the tasks of a saved group, each asked for its result in the result backend.

A batch is a `GroupResult` that was saved under the batch's id: `group(…).apply_async()` and then
`.save()`, the batch's id being the group's; or any tasks: `GroupResult(batch_id, results).save()`.
A job's id is its task's; a chain counts as its last task, a group inside the group as its tasks.
What `CeleryProgress.add` of our client publishes is added to it: in Redis the members of
`batchprogress:jobs:<batch_id>`, in a database groups whose ids are the batch's, a space, and more. Such a
batch is never called finished: more may be added. What `CeleryProgress.run` saves in a database of more than
a thousand tasks is in groups `<batch_id> run <n>` besides the batch's own; that batch may be finished.

- SUCCESS succeeded, FAILURE failed, REVOKED is skipped; every other state is pending.
- A task of which nothing is kept is pending as well: it waits, or its result has expired (`result_expires`,
  a day by default) or is ignored. Nobody knows how it ended; it has not failed. A group that has expired
  is an unknown batch.
- A retry is pending. The attempt is 1 plus the retries if the application sets `result_extended`; 1 if not.
- Celery revokes tasks, never a group: a batch is not cancelled.
- Results must be JSON (`result_serializer`, Celery's default): a pickle is never read. In a database that
  needs Celery 5.7: before, it kept pickles there.

Celery's own backend classes are not used for reading: they block, they import what a stored error
names, and the one for databases unpickles and needs a driver of its own.

What it costs Redis: the counts are a STRLEN and a GET of the group, an SCARD and an SMEMBERS of what was
added, and an MGET for each hundred tasks. A listing is the same, however many pages it has; a page that is
not of whole hundreds is one MGET more.
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
from services.job_status.sources.byte_order import same_bytes
from services.job_status.sources.celery_states import (
    OUTCOMES,
    SavedTasks,
    TaskResult,
    outcome_of,
    parsed,
    result_of,
    status_of,
    task_ids_of,
)
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.listings import Listings
from services.job_status.sources.portions import portions
from services.job_status.sources.redis import Command, QueueRedis

KEYS_PER_READ = 100
"""A result in Redis comes with the task's own return value, which may be large: 10 MB at 100 KB each."""
ROWS_PER_READ = 1_000
"""A database returns no such value; 1,000 ids are a statement of 40 KB, below every driver's limit."""
GROUP_BYTES_MAX = 32 * 1024 * 1024
"""Some 600,000 tasks: in Redis it is one text. 500,000 took 374 MiB, of which the process itself is 100. So
one batch is read at a time."""
ADDED_TASKS_MAX = 600_000
"""As many as a group may have."""
TASKS_PER_COUNT = 1_000
"""Their errors are let go of before the next are read: some MB at a time, however large the group."""


class ResultBackend(Protocol):
    """Where an application keeps its results."""

    async def tasks(self, batch_id: str) -> SavedTasks | None:
        """Return what is saved of a batch; None if that is nothing."""

    async def results(self, task_ids: Sequence[str]) -> list[TaskResult | None]:
        """Return what is kept of tasks, in their order."""

    async def check(self) -> None:
        """Make the smallest read."""

    async def close(self) -> None:
        """Let go of every connection."""


class CelerySource:
    """Counts and jobs from a result backend."""

    def __init__(self, backend: ResultBackend) -> None:
        """Take the application's result backend."""
        self._backend = backend
        self._listings = Listings()

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the tasks of a group."""
        saved = await self._saved(batch_id)
        outcomes: Counter[JobOutcome | None] = Counter()
        for some in portions(saved.ids, TASKS_PER_COUNT):
            outcomes.update(map(outcome_of, await self._backend.results(some)))
        return BatchCounts.of(outcomes, may_grow=saved.may_grow)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List tasks in the order of their ids."""
        page, next_key = await self._listings.page(batch_id, after, size, self._task_ids)
        results = await self._backend.results(page)
        statuses = tuple(status_of(*pair) for pair in zip(page, results, strict=True))
        return JobPage(statuses, next_key)

    async def check(self) -> None:
        """Make the smallest read."""
        await self._backend.check()

    async def close(self) -> None:
        """Let go of every connection."""
        await self._backend.close()

    async def _task_ids(self, batch_id: str) -> Sequence[str]:
        return (await self._saved(batch_id)).ids

    async def _saved(self, batch_id: str) -> SavedTasks:
        saved = await self._backend.tasks(batch_id)
        if saved is None:
            raise BatchUnknown
        return saved


class RedisResults:
    """Results in Redis, under the keys that Celery gives them."""

    def __init__(self, redis: QueueRedis) -> None:
        """Take the result backend's Redis."""
        self._redis = redis
        self._reading = Lock()

    async def tasks(self, batch_id: str) -> SavedTasks | None:
        """Return a saved group, which lies in a mapping here, and what was added."""
        group, added_tasks = _group_key(batch_id), f"{JOB_IDS_KEY_PREFIX}{batch_id}"
        size, number = await self._redis.ask(("STRLEN", group), ("SCARD", added_tasks))
        if size > GROUP_BYTES_MAX or number > ADDED_TASKS_MAX:
            raise _too_large()
        async with self._reading:  # what is read takes many times the memory of the ids in it
            payload, added = await self._redis.ask(("GET", group), ("SMEMBERS", added_tasks))
            if payload is None and not added:
                return None
            groups: list[object] = [one.decode("utf-8", "replace") for one in added]
            if payload is not None:
                groups.append(_group_in(payload))
            return SavedTasks(task_ids_of(groups), may_grow=bool(added))

    async def results(self, task_ids: Sequence[str]) -> list[TaskResult | None]:
        """Return what is kept of tasks."""
        results: list[TaskResult | None] = []
        for some in portions(task_ids, KEYS_PER_READ):
            command: Command = ("MGET", *map(_task_key, some))
            (payloads,) = await self._redis.ask(command)
            results += [one and result_of(parsed(decompress_payload(one))) for one in payloads]
        return results

    async def check(self) -> None:
        """Read a key."""
        await self._redis.ask(("EXISTS", _group_key("")))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._redis.close()


class DatabaseResults:
    """Results in the tables that Celery makes."""

    def __init__(self, database: QueueDatabase, *, extended: bool) -> None:
        """Take the result backend's database; `extended`: its tables have the columns of result_extended."""
        self._database = database
        self._extended = extended
        self._reading = Lock()
        self._groups = table(TaskSet.__tablename__, *map(column, ("taskset_id", "result")))
        self._tasks = table(Task.__tablename__, *map(column, ("task_id", "status", "result", "retries")))

    async def tasks(self, batch_id: str) -> SavedTasks | None:
        """Return the tasks of a saved group and of its parts; without the first, a part may be missing."""
        saved, others = self._groups.c, f"{batch_id} "
        is_other = saved.taskset_id.startswith(others, autoescape=True)
        of_batch = or_(same_bytes(saved.taskset_id, batch_id), is_other)
        size = select(func.sum(func.length(saved.result))).where(of_batch)
        if ((await self._database.rows(size))[0][0] or 0) > GROUP_BYTES_MAX:
            raise _too_large()
        async with self._reading:  # as in Redis
            rows = await self._database.rows(select(saved.taskset_id, saved.result).where(of_batch))
            # By the exact id, whatever the column's collation found besides.
            groups = {one: parsed(payload) for one, payload in rows if f"{one} ".startswith(others)}
            if batch_id not in groups:
                return None
            is_whole = all(one == batch_id or one.startswith(f"{batch_id} run ") for one in groups)
            may_grow = not (is_whole and task_ids_of([groups[batch_id]]))
            return SavedTasks(task_ids_of(groups.values()), may_grow=may_grow)

    async def results(self, task_ids: Sequence[str]) -> list[TaskResult | None]:
        """Return what is kept of tasks."""
        found: dict[str, TaskResult] = {}
        tasks = self._tasks.c
        # Only an error is read: what a task returned may be large.
        error = case((tasks.status.in_(OUTCOMES.keys() - {"SUCCESS"}), tasks.result))
        retries = tasks.retries if self._extended else null()
        for some in portions(task_ids, ROWS_PER_READ):
            query = select(tasks.task_id, tasks.status, error, retries).where(tasks.task_id.in_(some))
            for task_id, state, payload, count in await self._database.rows(query):
                found[task_id] = TaskResult(state, parsed(payload) if payload else None, count)
        # By the exact id, whatever the column's collation found besides.
        return [found.get(task_id) for task_id in task_ids]

    async def check(self) -> None:
        """Read a row, if there is one."""
        await self._database.rows(select(self._tasks.c.task_id).limit(1))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._database.close()


def _too_large() -> QueueContradiction:
    return QueueContradiction(f"more than {GROUP_BYTES_MAX:,} bytes or {ADDED_TASKS_MAX:,} tasks of it")


def _group_in(payload: bytes) -> object:
    """Return a group as Celery writes it, from its mapping; QueueContradiction if it was packed too well."""
    text = decompress_payload(payload)
    if len(text) > GROUP_BYTES_MAX:
        raise _too_large()
    saved = parsed(text)
    return saved.get("result") if isinstance(saved, dict) else saved


def _group_key(group_id: str) -> str:
    return f"{KeyValueStoreBackend.group_keyprefix}{group_id}"


def _task_key(task_id: str) -> str:
    return f"{KeyValueStoreBackend.task_keyprefix}{task_id}"
