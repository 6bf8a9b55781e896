"""Celery's results in Redis, under the keys of Celery's backend."""

from asyncio import Lock
from collections.abc import Sequence

from celery.backends.base import KeyValueStoreBackend

from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.celery import ADDED_TASKS_MAX, GROUP_BYTES_MAX, too_large
from services.job_status.sources.celery_payloads import (
    ENDING_BYTES,
    PREFIX_BYTES,
    decompressed_group,
    needs_ending,
    status_of_payload,
)
from services.job_status.sources.celery_states import BatchTasks, parse_group, parse_task_ids
from services.job_status.sources.chunks import chunked
from services.job_status.sources.redis import Command, QueueRedis
from services.job_status.sources.unreadable import Unreadable, status_or_problem

KEYS_PER_READ = 250
"""Of each result at most PREFIX_BYTES are read: 8 MB."""
SEPARATORS = ":_-."
"""If a `global_keyprefix` ends with another character, Celery appends an underscore."""


class RedisResults:
    """Reads results in Redis.

    Args:
        redis: the result backend.
        key_prefix: the application's `global_keyprefix`; empty if it has none.

    """

    def __init__(self, redis: QueueRedis, *, key_prefix: str = "") -> None:
        self._redis = redis
        separator = "_" if key_prefix and key_prefix[-1] not in SEPARATORS else ""
        self._group_key = f"{key_prefix}{separator}{KeyValueStoreBackend.group_keyprefix}"
        self._task_key = f"{key_prefix}{separator}{KeyValueStoreBackend.task_keyprefix}"
        self._reading = Lock()

    async def batch_tasks(self, batch_id: str) -> BatchTasks | None:
        """Return the tasks of the saved group and the added ones."""
        group_key, added_key = f"{self._group_key}{batch_id}", f"{JOB_IDS_KEY_PREFIX}{batch_id}"
        group_bytes, added_tasks = await self._redis.execute(("STRLEN", group_key), ("SCARD", added_key))
        if group_bytes > GROUP_BYTES_MAX or added_tasks > ADDED_TASKS_MAX:
            raise too_large()
        async with self._reading:  # parsing takes many times the memory of the ids
            payload, added = await self._redis.execute(("GET", group_key), ("SMEMBERS", added_key))
            if payload is None and not added:
                return None
            groups: list[object] = [task_id.decode("utf-8", "replace") for task_id in added]
            if payload is not None:
                groups.append(_parse_payload(payload))
            return BatchTasks(parse_task_ids(groups), may_grow=bool(added))

    async def statuses(self, task_ids: Sequence[str]) -> list[JobStatus]:
        """Return the job of each task."""
        statuses: list[JobStatus] = []
        for chunk in chunked(task_ids, KEYS_PER_READ):
            prefixes = await self._ranges(chunk, 0, PREFIX_BYTES)
            long = [one for one, prefix in prefixes.items() if prefix is not None and needs_ending(prefix)]
            endings = await self._ranges(long, -ENDING_BYTES, -1)
            statuses += [_status(one, prefixes[one], endings.get(one) or b"") for one in chunk]
        return statuses

    async def _ranges(self, task_ids: Sequence[str], first: int, last: int) -> dict[str, bytes | None]:
        """Return a range of the bytes of each task's result; None for a key of another type."""
        commands: list[Command] = [("GETRANGE", f"{self._task_key}{one}", first, last) for one in task_ids]
        return dict(zip(task_ids, await self._redis.execute_each(*commands), strict=True))

    async def check(self) -> None:
        """Look up a key."""
        await self._redis.execute(("EXISTS", self._group_key))

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()


def _status(task_id: str, prefix: bytes | None, ending: bytes) -> JobStatus:
    if prefix is None:
        return JobStatus(task_id, None, problem="its key in Redis holds another type of value")
    return status_or_problem(task_id, lambda: status_of_payload(task_id, prefix, ending))


def _parse_payload(payload: bytes) -> object:
    """Return a group as Celery saves it in Redis; decompressed, it is subject to the same limit."""
    try:
        text = decompressed_group(payload, GROUP_BYTES_MAX + 1)
    except Unreadable as error:
        raise QueueContradiction("the compressed group is damaged, or not gzip, bzip2 or lzma") from error
    if len(text) > GROUP_BYTES_MAX:
        raise too_large()
    saved = parse_group(text)
    return saved.get("result") if isinstance(saved, dict) else saved
