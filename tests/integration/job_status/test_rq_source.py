"""RQ's jobs, as RQ and a real worker store them in a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Retry
from rq.group import Group
from rq.job import Job
from rq.job import JobStatus as RqStatus
from rq.utils import as_text

from batches.result import JobOutcome
from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.source import BatchUnknown, JobStatus, QueueContradiction
from services.job_status.sources.redis import QueueRedis
from services.job_status.sources.rq import RqSource
from tests.integration.job_status import rq_jobs
from tests.integration.job_status.conftest import READER
from tests.integration.job_status.processes import rq_worker
from tests.integration.job_status.source_contract import (
    POLL_SECONDS,
    WORK_SECONDS_MAX,
    SourceContract,
    listed,
    wait_until_pending,
)

STATES = {
    "waiting": RqStatus.QUEUED,
    "running": RqStatus.STARTED,
    "succeeded": RqStatus.FINISHED,
    "failed": RqStatus.FAILED,
}
pytestmark = pytest.mark.xdist_group("redis")


class RqQueue:
    """A queue of RQ, with the set of job ids of each batch."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.queue = Queue(connection=redis)

    async def create(self) -> None:
        """Do nothing: RQ creates what it needs."""

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Enqueue jobs, set their states and add their ids to the set."""
        for job_id, state in jobs.items():
            self.queue.enqueue(rq_jobs.succeed, job_id=job_id).set_status(STATES[state])
        self.redis.sadd(f"{JOB_IDS_KEY_PREFIX}{batch_id}", *jobs)

    async def cancel(self, batch_id: str) -> None:
        """Cancel waiting jobs."""
        for job_id in self.redis.smembers(f"{JOB_IDS_KEY_PREFIX}{batch_id}"):
            job = Job.fetch(as_text(job_id), self.redis)
            if job.get_status() == RqStatus.QUEUED:
                job.cancel()

    async def make_unavailable(self) -> None:
        """Delete our account, which also closes its connections."""
        self.redis.acl_deluser(READER)


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[RqQueue]:
    """Yield a queue without jobs."""
    with Redis.from_url(redis_url) as redis:
        yield RqQueue(redis)


@pytest.fixture
async def source(reader_url: str) -> AsyncIterator[RqSource]:
    """Yield the source over the queue, with a read-only account."""
    source = RqSource(QueueRedis(reader_url))
    yield source
    await source.close()


class TestContract(SourceContract):
    """The contract of every source."""

    knows_the_end = False
    cancels_batches = False


async def test_jobs_have_the_outcome_of_their_worker(
    queue: RqQueue, source: RqSource, redis_url: str
) -> None:
    """They succeed, fail, are retried, cancelled, deferred or deleted."""
    jobs = [
        queue.queue.enqueue(rq_jobs.succeed, job_id="succeeded"),
        queue.queue.enqueue(rq_jobs.fail, job_id="failed", retry=Retry(max=1)),
        queue.queue.enqueue(rq_jobs.succeed_at_second_attempt, job_id="retried"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="deleted", result_ttl=0),
        queue.queue.enqueue(rq_jobs.succeed, job_id="cancelled"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="deferred", depends_on="failed"),
    ]
    queue.redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *(job.id for job in jobs))
    jobs[4].cancel()
    with rq_worker(redis_url):
        await wait_until_pending(source, "batch", pending=2)
        await wait_until_deleted(queue.redis, "deleted")
    assert await listed(source, "batch", 4) == [
        JobStatus("cancelled", JobOutcome.SKIPPED),
        JobStatus("deferred", None),
        JobStatus("deleted", None),
        JobStatus("failed", JobOutcome.FAILED, 1, "ValueError", "no such row"),
        JobStatus("retried", JobOutcome.SUCCEEDED, 2),
        JobStatus("succeeded", JobOutcome.SUCCEEDED),
    ]


async def wait_until_deleted(redis: Redis, job_id: str) -> None:
    """Wait until RQ has deleted a job."""
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while Job.exists(job_id, redis):
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)


async def test_group_is_a_batch_if_its_results_never_expire(queue: RqQueue, source: RqSource) -> None:
    """It needs no set of job ids."""
    datas = [Queue.prepare_data(rq_jobs.succeed, job_id=one, result_ttl=-1) for one in ("a", "b")]
    Group(queue.redis, "kept").enqueue_many(queue.queue, datas)
    assert [status.job_id for status in await listed(source, "kept", 1)] == ["a", "b"]


@pytest.mark.parametrize(
    "options", [{}, {"result_ttl": 500}, {"result_ttl": -1, "ttl": 9}, {"result_ttl": -1, "failure_ttl": 9}]
)
async def test_group_is_a_contradiction_if_results_expire(
    options: dict[str, Any], queue: RqQueue, source: RqSource
) -> None:
    """By default RQ removes jobs from a group, so its size is meaningless."""
    Group(queue.redis, "lossy").enqueue_many(queue.queue, [Queue.prepare_data(rq_jobs.succeed, **options)])
    with pytest.raises(QueueContradiction):
        await source.batch_counts("lossy")


async def test_unknown_status_is_a_contradiction(queue: RqQueue, source: RqSource) -> None:
    await queue.put("batch", {"a": "waiting"})
    queue.redis.hset(Job.key_for("a"), "status", "done")
    with pytest.raises(QueueContradiction):
        await source.batch_counts("batch")


async def test_batch_is_unknown_once_its_set_has_expired(queue: RqQueue, source: RqSource) -> None:
    await queue.put("batch", {"a": "succeeded"})
    queue.redis.delete(f"{JOB_IDS_KEY_PREFIX}batch")
    with pytest.raises(BatchUnknown):
        await source.batch_counts("batch")
