"""RQ's hashes in a real Redis, filled by RQ and by a real worker."""

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
from tests.integration.job_status.source_contract import BATCH, MIXED, SourceContract, listed

STATES = {
    "waiting": RqStatus.QUEUED,
    "running": RqStatus.STARTED,
    "succeeded": RqStatus.FINISHED,
    "failed": RqStatus.FAILED,
}
WORK_SECONDS_MAX = 60.0
"""A worker is there after a second, on a busy machine later."""
POLL_SECONDS = 0.05

pytestmark = pytest.mark.xdist_group("redis")


class RqQueue:
    """A queue of RQ's, with a list of each batch's jobs beside it."""

    def __init__(self, redis: Redis) -> None:
        """Take its Redis."""
        self.redis = redis
        self.queue = Queue(connection=redis)

    async def create(self) -> None:
        """Do nothing: RQ makes what it needs."""

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Enqueue jobs and set how far they are; list their ids."""
        for job_id, state in jobs.items():
            self.queue.enqueue(rq_jobs.well, job_id=job_id).set_status(STATES[state])
        self.redis.sadd(f"{JOB_IDS_KEY_PREFIX}{batch_id}", *jobs)

    async def cancel(self, batch_id: str) -> None:
        """Cancel what waits."""
        for job_id in self.redis.smembers(f"{JOB_IDS_KEY_PREFIX}{batch_id}"):
            job = Job.fetch(as_text(job_id), self.redis)
            if job.get_status() == RqStatus.QUEUED:
                job.cancel()

    async def break_off(self) -> None:
        """Take our account away, which also cuts its connections."""
        self.redis.acl_deluser(READER)


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[RqQueue]:
    """Return a queue without jobs."""
    with Redis.from_url(redis_url) as redis:
        yield RqQueue(redis)


@pytest.fixture
async def source(reader_url: str) -> AsyncIterator[RqSource]:
    """Return the source over it, with an account that may only read."""
    source = RqSource(QueueRedis(reader_url))
    yield source
    await source.close()


class TestContract(SourceContract):
    """RQ keeps the contract of every source; but it cancels jobs, never a batch."""

    knows_the_end = False

    async def test_cancelled(self, queue: RqQueue, source: RqSource) -> None:  # type: ignore[override]
        """Cancelled jobs are skipped, and what runs is pending; the batch is not cancelled."""
        await queue.put(BATCH, MIXED)
        await queue.cancel(BATCH)
        counts = await source.batch_counts(BATCH)
        assert (counts.skipped, counts.pending, counts.cancelled) == (1, 1, False)


async def ended(source: RqSource, batch_id: str, pending: int) -> None:
    """Wait until no more jobs than these are pending."""
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while (await source.batch_counts(batch_id)).pending > pending:
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)


async def test_real_jobs(queue: RqQueue, source: RqSource, redis_url: str) -> None:
    """Jobs that succeed, fail, are retried, cancelled, put off or forgotten are told as they are."""
    jobs = [
        queue.queue.enqueue(rq_jobs.well, job_id="well"),
        queue.queue.enqueue(rq_jobs.badly, job_id="badly", retry=Retry(max=1)),
        queue.queue.enqueue(rq_jobs.at_the_second_try, job_id="retried"),
        queue.queue.enqueue(rq_jobs.well, job_id="forgotten", result_ttl=0),
        queue.queue.enqueue(rq_jobs.well, job_id="cancelled"),
        queue.queue.enqueue(rq_jobs.well, job_id="after-failure", depends_on="badly"),
    ]
    queue.redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *(job.id for job in jobs))
    jobs[4].cancel()
    with rq_worker(redis_url):
        await ended(source, "batch", pending=2)
        await until_gone(queue.redis, "forgotten")
    assert await listed(source, "batch", 4) == [
        JobStatus("after-failure", None),
        JobStatus("badly", JobOutcome.FAILED, 1, "ValueError", "no such row"),
        JobStatus("cancelled", JobOutcome.SKIPPED),
        JobStatus("forgotten", None),
        JobStatus("retried", JobOutcome.SUCCEEDED, 2),
        JobStatus("well", JobOutcome.SUCCEEDED),
    ]


async def until_gone(redis: Redis, job_id: str) -> None:
    """Wait until RQ has forgotten a job."""
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while Job.exists(job_id, redis):
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)


async def test_group(queue: RqQueue, source: RqSource) -> None:
    """A group all of whose results are kept is a batch without a list."""
    datas = [Queue.prepare_data(rq_jobs.well, job_id=one, result_ttl=-1) for one in ("a", "b")]
    Group(queue.redis, "kept").enqueue_many(queue.queue, datas)
    assert [status.job_id for status in await listed(source, "kept", 1)] == ["a", "b"]


@pytest.mark.parametrize(
    "keeping", [{}, {"result_ttl": 500}, {"result_ttl": -1, "ttl": 9}, {"result_ttl": -1, "failure_ttl": 9}]
)
async def test_group_that_forgets(keeping: dict[str, Any], queue: RqQueue, source: RqSource) -> None:
    """A group that RQ takes jobs out of, as it does by default, is a contradiction: its size says nothing."""
    Group(queue.redis, "lossy").enqueue_many(queue.queue, [Queue.prepare_data(rq_jobs.well, **keeping)])
    with pytest.raises(QueueContradiction):
        await source.batch_counts("lossy")


async def test_unknown_status(queue: RqQueue, source: RqSource) -> None:
    """A status that RQ does not have is a contradiction."""
    await queue.put("batch", {"a": "waiting"})
    queue.redis.hset(Job.key_for("a"), "status", "done")
    with pytest.raises(QueueContradiction):
        await source.batch_counts("batch")


async def test_list_gone(queue: RqQueue, source: RqSource) -> None:
    """A batch whose list has expired is unknown."""
    await queue.put("batch", {"a": "succeeded"})
    queue.redis.delete(f"{JOB_IDS_KEY_PREFIX}batch")
    with pytest.raises(BatchUnknown):
        await source.batch_counts("batch")
