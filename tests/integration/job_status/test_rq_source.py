"""RQ's jobs, as RQ and a real worker store them in a real Redis."""

import asyncio
import random
import time
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Retry
from rq.group import Group
from rq.job import Dependency, Job
from rq.job import JobStatus as RqStatus
from rq.results import Result
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

ALLOWING = partial(Dependency, allow_failure=True)
SUCCEED = f"{rq_jobs.__name__}.succeed"
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
    """They succeed, fail, are retried, cancelled, deferred, scheduled or deleted."""
    jobs = [
        queue.queue.enqueue(rq_jobs.succeed, job_id="succeeded"),
        queue.queue.enqueue(rq_jobs.fail, job_id="failed", retry=Retry(max=1)),
        queue.queue.enqueue(rq_jobs.succeed_at_second_attempt, job_id="retried"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="deleted", result_ttl=0),
        queue.queue.enqueue(rq_jobs.succeed, job_id="cancelled"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="behind-failed", depends_on="failed"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="further-behind", depends_on="behind-failed"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="behind-cancelled", depends_on=ALLOWING("cancelled")),
        queue.queue.enqueue(rq_jobs.succeed, job_id="allows-failure", depends_on=ALLOWING("failed")),
        queue.queue.enqueue_in(timedelta(hours=1), rq_jobs.succeed, "secret", job_id="scheduled"),
        queue.queue.enqueue(rq_jobs.succeed, job_id="behind-scheduled", depends_on="scheduled"),
    ]
    queue.redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", *(job.id for job in jobs))
    jobs[4].cancel()
    with rq_worker(redis_url):
        await wait_until_pending(source, "batch", pending=3)
        await wait_until_deleted(queue.redis, "deleted")
    assert await listed(source, "batch", 4) == [
        JobStatus("allows-failure", JobOutcome.SUCCEEDED),
        JobStatus("behind-cancelled", JobOutcome.SKIPPED, display_name=SUCCEED),
        JobStatus("behind-failed", JobOutcome.SKIPPED, display_name=SUCCEED),
        JobStatus("behind-scheduled", None, display_name=SUCCEED),
        JobStatus("cancelled", JobOutcome.SKIPPED, display_name=SUCCEED),
        JobStatus("deleted", None),
        JobStatus("failed", JobOutcome.FAILED, 1, "ValueError", "no such row", f"{rq_jobs.__name__}.fail"),
        JobStatus("further-behind", JobOutcome.SKIPPED, display_name=SUCCEED),
        JobStatus("retried", JobOutcome.SUCCEEDED, 2),
        JobStatus("scheduled", None, display_name=SUCCEED),
        JobStatus("succeeded", JobOutcome.SUCCEEDED),
    ]


async def test_stopped_job_and_all_jobs_behind_it_are_skipped(queue: RqQueue, source: RqSource) -> None:
    """RQ does not run those that allow a failure either."""
    stopped = queue.queue.enqueue(rq_jobs.succeed, job_id="a")
    queue.queue.enqueue(rq_jobs.succeed, job_id="b", depends_on=ALLOWING("a"))
    stopped.set_status(RqStatus.STOPPED)
    queue.redis.sadd(f"{JOB_IDS_KEY_PREFIX}batch", "a", "b")
    assert [one.outcome for one in await listed(source, "batch", 4)] == [JobOutcome.SKIPPED] * 2
    assert (await source.batch_counts("batch")).skipped == 2


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


UNREADABLE: dict[str, tuple[list[str], str]] = {
    "a status that RQ does not have": (["HSET", "rq:job:a", "status", "done"], "its status"),
    "an attempt in words": (["HSET", "rq:job:a", "batchprogress_attempts", "two"], "its number of attempts"),
    "an attempt of 5,000 digits": (
        ["HSET", "rq:job:a", "number_of_retries", "9" * 5_000],
        "its number of attempts",
    ),
    "a key of another type": (["SET", "rq:job:a", "x"], "its key in Redis"),
}


@pytest.mark.parametrize(("command", "problem"), UNREADABLE.values(), ids=UNREADABLE)
async def test_unreadable_job_is_pending_with_a_problem(
    command: list[str], problem: str, queue: RqQueue, source: RqSource
) -> None:
    """The other jobs of the batch are not affected."""
    await queue.put("batch", {"a": "succeeded", "b": "succeeded"})
    queue.redis.execute_command(*command)  # type: ignore[no-untyped-call]
    unreadable, other = await listed(source, "batch", 10)
    assert (unreadable.outcome, unreadable.problem.startswith(problem)) == (None, True)
    assert other == JobStatus("b", JobOutcome.SUCCEEDED)
    counts = await source.batch_counts("batch")
    assert (counts.succeeded, counts.pending) == (1, 1)


async def test_error_of_a_job_with_large_results_is_not_read(queue: RqQueue, source: RqSource) -> None:
    """Its outcome is known all the same. A description with long arguments is not read either."""
    await queue.put("batch", {"a": "failed"})
    long = random.Random(7).randbytes(300_000).hex().encode()
    traceback = b64encode(zlib.compress(long + b"\nValueError: why"))
    queue.redis.xadd(Result.get_key("a"), {"exc_string": traceback})
    queue.redis.hset(Job.key_for("a"), "description", f"f({'x' * 5_000})")
    assert await listed(source, "batch", 10) == [JobStatus("a", JobOutcome.FAILED)]


async def test_batch_is_unknown_once_its_set_has_expired(queue: RqQueue, source: RqSource) -> None:
    await queue.put("batch", {"a": "succeeded"})
    queue.redis.delete(f"{JOB_IDS_KEY_PREFIX}batch")
    with pytest.raises(BatchUnknown):
        await source.batch_counts("batch")
