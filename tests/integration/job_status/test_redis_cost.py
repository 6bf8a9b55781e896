"""How many commands a batch costs the queue's Redis: by its jobs, however many pages they are listed in."""

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
from services.job_status.sources.celery import GROUP_BYTES_MAX, CelerySource, RedisResults
from services.job_status.sources.redis import Command, QueueRedis
from services.job_status.sources.rq import JOBS_MAX, RqSource
from tests.integration.job_status.source_contract import listed

pytestmark = pytest.mark.xdist_group("redis")

JOBS = 400
IDS_PER_CALL = 100_000
GROUP_KEY = f"{KeyValueStoreBackend.group_keyprefix}batch"
READING = ("smembers", "hmget", "xrevrange", "get", "mget")
"""What grows with a batch; before it SCARD or STRLEN asks how large it is."""

Cost = dict[str, int]
Ask = Callable[[JobStatusSource], Awaitable[object]]


@pytest.fixture
def redis(redis_url: str, reader_url: str) -> Iterator[Redis]:
    """Return the queue's Redis, which is emptied afterwards."""
    assert reader_url
    with Redis.from_url(redis_url) as redis:
        yield redis


async def _cost(redis: Redis, source: JobStatusSource, ask: Ask) -> Cost:
    """Return how often each command that reads was called by a question."""
    redis.config_resetstat()
    await ask(source)
    calls = redis.info("commandstats")
    await source.close()
    return {name: calls[f"cmdstat_{name}"]["calls"] for name in READING if f"cmdstat_{name}" in calls}


async def _counts(source: JobStatusSource) -> object:
    return await source.batch_counts("batch")


def _in_pages(size: int) -> Ask:
    async def ask(source: JobStatusSource) -> object:
        statuses = await listed(source, "batch", size)
        assert len(statuses) == JOBS
        return statuses

    return ask


def _rq_jobs(redis: Redis, key: str) -> None:
    ids = [f"job-{number}" for number in range(JOBS)]
    for job_id in ids:
        redis.hset(Job.key_for(job_id), mapping={"status": "finished", "result_ttl": "-1"})
    redis.sadd(key, *ids)


@pytest.mark.parametrize("size", [JOBS, 40, 7])
async def test_rq_list(size: int, redis: Redis, reader_url: str) -> None:
    """A listing of RQ's jobs reads their list once and each job once, however small its pages are."""
    _rq_jobs(redis, f"{JOB_IDS_KEY_PREFIX}batch")
    cost = await _cost(redis, RqSource(QueueRedis(reader_url)), _in_pages(size))
    assert cost == {"smembers": 2, "hmget": JOBS}


@pytest.mark.parametrize("size", [JOBS, 40, 7])
async def test_rq_group(size: int, redis: Redis, reader_url: str) -> None:
    """That of a group without a list looks twice at each job: whether RQ forgets it, and how it ended."""
    _rq_jobs(redis, Group.get_key("batch"))
    cost = await _cost(redis, RqSource(QueueRedis(reader_url)), _in_pages(size))
    assert cost == {"smembers": 2, "hmget": 2 * JOBS}


@pytest.mark.parametrize("key", [f"{JOB_IDS_KEY_PREFIX}batch", Group.get_key("batch")])
async def test_rq_counts(key: str, redis: Redis, reader_url: str) -> None:
    """The counts look at each job once, in a list and in a group."""
    _rq_jobs(redis, key)
    cost = await _cost(redis, RqSource(QueueRedis(reader_url)), _counts)
    assert cost == {"smembers": 2, "hmget": JOBS}


@pytest.mark.parametrize(("size", "pages"), [(JOBS, 4), (40, 10), (8, 50)])
async def test_celery_group(size: int, pages: int, redis: Redis, reader_url: str) -> None:
    """A listing of Celery's tasks reads their group once, and a hundred tasks or a page at a time."""
    # As Celery's backend writes it; its own results would ask this Redis still when it is gone.
    tasks = [[[f"task-{number}", None], None] for number in range(JOBS)]
    redis.set(GROUP_KEY, json.dumps({"result": [["batch", None], tasks]}))
    cost = await _cost(redis, CelerySource(RedisResults(QueueRedis(reader_url))), _in_pages(size))
    assert cost == {"get": 1, "smembers": 1, "mget": pages}


async def test_rq_too_many(redis: Redis, reader_url: str) -> None:
    """A list longer than can be read within the memory of the service is a contradiction, and is not read."""
    for begin in range(0, JOBS_MAX + 1, IDS_PER_CALL):
        redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *range(begin, min(begin + IDS_PER_CALL, JOBS_MAX + 1)))
    assert await _cost(redis, RqSource(QueueRedis(reader_url)), _refused) == {}


async def test_celery_too_large(redis: Redis, reader_url: str) -> None:
    """And so is a group of more bytes."""
    redis.setrange(GROUP_KEY, GROUP_BYTES_MAX, "x")
    assert await _cost(redis, CelerySource(RedisResults(QueueRedis(reader_url))), _refused) == {}


async def test_celery_too_large_unpacked(redis: Redis, reader_url: str) -> None:
    """Also of one that result_compression has made small."""
    group = json.dumps({"result": [["batch", None], []]})
    redis.set(GROUP_KEY, compress_payload(" " * GROUP_BYTES_MAX + group, "zlib"))
    assert await _cost(redis, CelerySource(RedisResults(QueueRedis(reader_url))), _refused) != {}


@pytest.mark.parametrize("queue", ["celery", "rq"])
async def test_one_at_a_time(queue: str, redis: Redis, reader_url: str) -> None:
    """The ids of one batch are read at a time, however many are asked for: memory is for one."""
    redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *range(JOBS))
    watched = WatchedRedis(reader_url)
    source = CelerySource(RedisResults(watched)) if queue == "celery" else RqSource(watched)
    await asyncio.gather(*(source.batch_counts("batch") for _ in range(4)))
    await source.close()
    assert watched.most_at_once == 1


class WatchedRedis(QueueRedis):
    """Tells how many lists of ids were read at once."""

    at_once = most_at_once = 0

    async def ask(self, *commands: Command) -> list[Any]:
        """Ask as always."""
        lists = any(command[0] == "SMEMBERS" for command in commands)
        self.at_once += lists
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await super().ask(*commands)
        finally:
            self.at_once -= lists


async def _refused(source: JobStatusSource) -> object:
    with pytest.raises(QueueContradiction):
        await source.batch_counts("batch")
    with pytest.raises(QueueContradiction):
        await source.job_page("batch", None, 10)
    return None
