"""What docs/job-status-source.md claims of RQ, cell by cell: each test bears the name of its row."""

from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from redis import Redis
from rq import Queue
from rq.group import Group
from rq.job import Job
from rq.job import JobStatus as RqStatus

from batches.result import JobOutcome
from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from services.job_status.settings import JobStatusSettings
from services.job_status.source import BatchUnknown, QueueContradiction
from services.job_status.sources.redis import QueueRedis
from services.job_status.sources.rq import RqSource
from services.job_status.wiring import open_source
from tests.integration.job_status import rq_jobs
from tests.integration.job_status.source_contract import listed

SET = f"{JOB_IDS_KEY_PREFIX}batch"

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture
def queue(redis_url: str, reader_url: str) -> Iterator[Queue]:
    """Yield a queue without jobs; `reader_url` empties Redis afterwards."""
    assert reader_url
    with Redis.from_url(redis_url) as redis:
        yield Queue(connection=redis)


@pytest.fixture
async def source(reader_url: str) -> AsyncIterator[RqSource]:
    """Yield the source over the queue, with a read-only account."""
    source = RqSource(QueueRedis(reader_url))
    yield source
    await source.close()


def put(queue: Queue, *statuses: RqStatus) -> list[Job]:
    """Enqueue the jobs of a batch, with ids from `a` on, and set their statuses."""
    jobs = [queue.enqueue(rq_jobs.succeed, job_id=chr(ord("a") + number)) for number in range(len(statuses))]
    for job, status in zip(jobs, statuses, strict=True):
        job.set_status(status)
        queue.connection.sadd(SET, job.id)
    return jobs


class TestCells:
    """The cells."""

    async def test_job_status_source_is_rq(self, reader_url: str) -> None:
        """The name opens this source."""
        source = open_source(JobStatusSettings(source="rq", redis_url=SecretStr(reader_url)))
        assert isinstance(source, RqSource)
        await source.check()
        await source.close()

    async def test_reads_job_hashes(self, queue: Queue, source: RqSource) -> None:
        """Nothing else of a job is needed."""
        put(queue, RqStatus.QUEUED)
        queue.empty()
        queue.connection.hset(Job.key_for("a"), "status", "finished")
        assert await outcomes(source) == [JobOutcome.SUCCEEDED]

    async def test_from_redis(self, queue: Queue, source: RqSource) -> None:
        """An account that only reads suffices."""
        put(queue, RqStatus.QUEUED)
        assert await outcomes(source) == [None]

    async def test_a_batch_is_a_set_of_ids_or_a_group_whose_results_never_expire(
        self, queue: Queue, source: RqSource
    ) -> None:
        """Any other group is a contradiction."""
        put(queue, RqStatus.QUEUED)
        assert (await source.batch_counts("batch")).total == 1
        for name, seconds in (("kept", -1), ("lossy", 500)):
            datas = [Queue.prepare_data(rq_jobs.succeed, result_ttl=seconds)]
            Group(queue.connection, name).enqueue_many(queue, datas)
        assert (await source.batch_counts("kept")).total == 1
        with pytest.raises(QueueContradiction):
            await source.batch_counts("lossy")

    async def test_a_job_id_is_that_of_rq(self, queue: Queue, source: RqSource) -> None:
        """It is not changed."""
        put(queue, RqStatus.QUEUED)
        assert [one.job_id for one in await listed(source, "batch", 10)] == ["a"]

    async def test_lists_jobs_yes(self, queue: Queue, source: RqSource) -> None:
        """The counts say so."""
        put(queue, RqStatus.QUEUED)
        assert (await source.batch_counts("batch")).lists_jobs

    async def test_succeeded_is_finished(self, queue: Queue, source: RqSource) -> None:
        """The name is RQ's."""
        put(queue, RqStatus.FINISHED)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED]

    async def test_failed_is_failed(self, queue: Queue, source: RqSource) -> None:
        """It is final."""
        put(queue, RqStatus.FAILED)
        assert await outcomes(source) == [JobOutcome.FAILED]

    async def test_skipped_are_canceled_stopped_and_what_is_deferred_behind_one_without_success(
        self, queue: Queue, source: RqSource
    ) -> None:
        """RQ never runs what is deferred there."""
        put(queue, RqStatus.CANCELED, RqStatus.STOPPED, RqStatus.FAILED)
        for number, above in enumerate("abc"):
            queue.connection.sadd(SET, f"d{number}")
            queue.enqueue(rq_jobs.succeed, job_id=f"d{number}", depends_on=above)
        skipped = JobOutcome.SKIPPED
        assert await outcomes(source) == [skipped, skipped, JobOutcome.FAILED, skipped, skipped, skipped]

    async def test_pending_are_all_others(self, queue: Queue, source: RqSource) -> None:
        """They include what is deferred behind a job that may succeed."""
        others = set(RqStatus) - {RqStatus.FINISHED, RqStatus.FAILED, RqStatus.CANCELED, RqStatus.STOPPED}
        put(queue, *sorted(others, key=str))
        assert await outcomes(source) == [None] * len(others)

    async def test_a_job_to_be_retried_is_pending(self, queue: Queue, source: RqSource) -> None:
        """It waits for its interval, or in the queue."""
        put(queue, RqStatus.SCHEDULED, RqStatus.QUEUED)
        assert await outcomes(source) == [None, None]

    async def test_attempt_is_counted_by_our_client(self, queue: Queue, source: RqSource) -> None:
        """It is in the hash of the job."""
        put(queue, RqStatus.FINISHED)
        queue.connection.hset(Job.key_for("a"), "batchprogress_attempts", 3)
        assert [one.attempt for one in await listed(source, "batch", 10)] == [3]

    async def test_a_job_that_ran_twice_is_counted_once(self, queue: Queue, source: RqSource) -> None:
        """The later status replaces the earlier one."""
        (job,) = put(queue, RqStatus.FAILED)
        job.set_status(RqStatus.FINISHED)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED]

    async def test_an_expired_result_is_pending(self, queue: Queue, source: RqSource) -> None:
        """RQ deletes the job with its result."""
        put(queue, RqStatus.FINISHED)
        queue.connection.delete(Job.key_for("a"))
        assert await outcomes(source) == [None]

    async def test_a_deleted_job_is_pending(self, queue: Queue, source: RqSource) -> None:
        """Its id stays in the set."""
        (job,) = put(queue, RqStatus.QUEUED)
        job.delete()
        assert await outcomes(source) == [None]

    async def test_an_expired_pruned_or_deleted_batch_is_unknown(
        self, queue: Queue, source: RqSource
    ) -> None:
        """It is never an empty batch."""
        put(queue, RqStatus.FINISHED)
        queue.connection.delete(SET)
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")

    async def test_finished_never(self, queue: Queue, source: RqSource) -> None:
        """Ids may be added."""
        put(queue, RqStatus.FINISHED)
        assert not (await source.batch_counts("batch")).finished

    async def test_cancelled_never(self, queue: Queue, source: RqSource) -> None:
        """RQ cancels jobs only."""
        put(queue, RqStatus.CANCELED)
        assert not (await source.batch_counts("batch")).cancelled

    async def test_unreadable_data_makes_its_job_pending_with_a_problem(
        self, queue: Queue, source: RqSource
    ) -> None:
        """The other jobs are not affected."""
        put(queue, RqStatus.FINISHED, RqStatus.FINISHED)
        queue.connection.hset(Job.key_for("a"), "status", "done")
        assert await outcomes(source) == [None, JobOutcome.SUCCEEDED]
        assert (await listed(source, "batch", 10))[0].problem == "its status is unknown to RQ"


async def outcomes(source: RqSource) -> list[JobOutcome | None]:
    """Return the outcomes in the order of the ids; the counts agree with the listing."""
    counts = await source.batch_counts("batch")
    found = [one.outcome for one in await listed(source, "batch", 10)]
    numbers = (counts.succeeded, counts.failed, counts.skipped, counts.pending)
    assert numbers == tuple(found.count(one) for one in (*JobOutcome, None))
    return found
