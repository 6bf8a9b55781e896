"""The number of commands that reading a batch takes: it depends on the jobs, not on the number of pages."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from celery.backends.base import KeyValueStoreBackend, compress_payload
from redis import Redis
from rq.group import Group
from rq.job import Job

from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.source import JobStatusSource, QueueContradiction
from services.job_status.sources.celery import ADDED_TASKS_MAX, GROUP_BYTES_MAX, CelerySource
from services.job_status.sources.celery_redis import RedisResults
from services.job_status.sources.redis import Command, QueueRedis
from services.job_status.sources.rq import JOBS_MAX, RqSource
from tests.integration.job_status.source_contract import listed

pytestmark = pytest.mark.xdist_group("redis")

JOBS = 400
IDS_PER_CALL = 100_000
GROUP_KEY = f"{KeyValueStoreBackend.group_keyprefix}batch"
READ_COMMANDS = ("smembers", "hmget", "xrevrange", "get", "getrange")
"""The commands whose number or answer grows with a batch, unlike SCARD and STRLEN, which read its size."""

Cost = dict[str, int]
Question = Callable[[JobStatusSource], Awaitable[object]]


@pytest.fixture
def redis(redis_url: str, reader_url: str) -> Iterator[Redis]:
    """Yield the queue's Redis; `reader_url` empties it afterwards."""
    assert reader_url
    with Redis.from_url(redis_url) as redis:
        yield redis


async def _cost(redis: Redis, source: JobStatusSource, question: Question) -> Cost:
    """Return how often each of READ_COMMANDS was called."""
    redis.config_resetstat()
    await question(source)
    calls = redis.info("commandstats")
    await source.close()
    return {name: calls[f"cmdstat_{name}"]["calls"] for name in READ_COMMANDS if f"cmdstat_{name}" in calls}


async def _counts(source: JobStatusSource) -> object:
    return await source.batch_counts("batch")


def _list_in_pages(size: int) -> Question:
    async def question(source: JobStatusSource) -> object:
        statuses = await listed(source, "batch", size)
        assert len(statuses) == JOBS
        return statuses

    return question


def _put_rq_jobs(redis: Redis, key: str) -> None:
    ids = [f"job-{number}" for number in range(JOBS)]
    for job_id in ids:
        redis.hset(Job.key_for(job_id), mapping={"status": "finished", "result_ttl": "-1"})
    redis.sadd(key, *ids)


@pytest.mark.parametrize("size", [JOBS, 40, 7])
async def test_rq_listing_reads_the_set_once_and_each_job_once(
    size: int, redis: Redis, reader_url: str
) -> None:
    """This holds for any page size."""
    _put_rq_jobs(redis, f"{JOB_IDS_KEY_PREFIX}batch")
    cost = await _cost(redis, RqSource(QueueRedis(reader_url)), _list_in_pages(size))
    assert cost == {"smembers": 2, "hmget": JOBS}


@pytest.mark.parametrize("size", [JOBS, 40, 7])
async def test_rq_listing_of_a_group_reads_each_job_twice(size: int, redis: Redis, reader_url: str) -> None:
    """The first read checks that RQ will not delete the job; the second gets its outcome."""
    _put_rq_jobs(redis, Group.get_key("batch"))
    cost = await _cost(redis, RqSource(QueueRedis(reader_url)), _list_in_pages(size))
    assert cost == {"smembers": 2, "hmget": 2 * JOBS}


@pytest.mark.parametrize("key", [f"{JOB_IDS_KEY_PREFIX}batch", Group.get_key("batch")])
async def test_rq_counts_read_each_job_once(key: str, redis: Redis, reader_url: str) -> None:
    """This holds for a set and for a group."""
    _put_rq_jobs(redis, key)
    cost = await _cost(redis, RqSource(QueueRedis(reader_url)), _counts)
    assert cost == {"smembers": 2, "hmget": JOBS}


@pytest.mark.parametrize("size", [JOBS, 40, 7])
async def test_celery_listing_reads_the_group_once_and_each_task_once(
    size: int, redis: Redis, reader_url: str
) -> None:
    """This holds for any page size."""
    # In the format of Celery's backend, whose own results would need this Redis until they are collected.
    tasks = [[[f"task-{number}", None], None] for number in range(JOBS)]
    redis.set(GROUP_KEY, json.dumps({"result": [["batch", None], tasks]}))
    cost = await _cost(redis, CelerySource(RedisResults(QueueRedis(reader_url))), _list_in_pages(size))
    assert cost == {"get": 1, "smembers": 1, "getrange": JOBS}


async def test_too_many_ids_are_not_read(redis: Redis, reader_url: str) -> None:
    """A batch that would not fit in the service's memory is a contradiction."""
    celery, rq = CelerySource(RedisResults(QueueRedis(reader_url))), RqSource(QueueRedis(reader_url))
    limits: list[tuple[int, JobStatusSource]] = [(ADDED_TASKS_MAX, celery), (JOBS_MAX, rq)]
    added = 0
    for limit, source in limits:
        for start in range(added, limit + 1, IDS_PER_CALL):
            redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *range(start, min(start + IDS_PER_CALL, limit + 1)))
        added = limit + 1
        assert await _cost(redis, source, _refused) == {}


async def test_too_large_celery_group_is_not_read(redis: Redis, reader_url: str) -> None:
    """It is a contradiction."""
    redis.setrange(GROUP_KEY, GROUP_BYTES_MAX, "x")
    assert await _cost(redis, CelerySource(RedisResults(QueueRedis(reader_url))), _refused) == {}


async def test_celery_group_that_is_too_large_decompressed_is_a_contradiction(
    redis: Redis, reader_url: str
) -> None:
    """Its size shows only after it was read, if the application sets result_compression."""
    group = json.dumps({"result": [["batch", None], []]})
    redis.set(GROUP_KEY, compress_payload(" " * GROUP_BYTES_MAX + group, "zlib"))
    assert await _cost(redis, CelerySource(RedisResults(QueueRedis(reader_url))), _refused) != {}


@pytest.mark.parametrize("queue", ["celery", "rq"])
async def test_ids_of_one_batch_are_read_at_a_time(queue: str, redis: Redis, reader_url: str) -> None:
    """Concurrent requests wait, so that memory suffices."""
    redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *range(JOBS))
    counting = CountingRedis(reader_url)
    source = CelerySource(RedisResults(counting)) if queue == "celery" else RqSource(counting)
    await asyncio.gather(*(source.batch_counts("batch") for _ in range(4)))
    await source.close()
    assert counting.concurrent_max == 1


class CountingRedis(QueueRedis):
    """Counts how many sets of ids are read concurrently."""

    concurrent = concurrent_max = 0

    async def execute(self, *commands: Command) -> list[Any]:
        """Execute the commands as usual."""
        reads_ids = any(command[0] == "SMEMBERS" for command in commands)
        self.concurrent += reads_ids
        self.concurrent_max = max(self.concurrent_max, self.concurrent)
        try:
            return await super().execute(*commands)
        finally:
            self.concurrent -= reads_ids


async def _refused(source: JobStatusSource) -> object:
    with pytest.raises(QueueContradiction):
        await source.batch_counts("batch")
    with pytest.raises(QueueContradiction):
        await source.job_page("batch", None, 10)
    return None
