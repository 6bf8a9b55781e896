"""What docs/job-status-source.md claims of a job table, cell by cell: each test bears the name of its row."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from batches.result import JobOutcome
from services.job_status.settings import JobStatusSettings
from services.job_status.source import BatchUnknown, JobStatus
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from services.job_status.wiring import open_source
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.job_status.source_contract import listed


@pytest.fixture
async def queue(queue_url: str) -> JobTableQueue:
    """Return the documented table, empty."""
    queue = JobTableQueue(queue_url)
    await queue.create()
    return queue


@pytest.fixture
async def source(queue_url: str) -> AsyncIterator[JobTableSource]:
    """Yield the source over the queue."""
    source = JobTableSource(QueueDatabase(queue_url), "jobs")
    yield source
    await source.close()


class TestCells:
    """The cells."""

    async def test_job_status_source_is_job_table(self, queue: JobTableQueue, queue_url: str) -> None:
        """The name opens this source."""
        await queue.put("batch", {"a": "waiting"})
        settings = JobStatusSettings(source="job_table", database_url=SecretStr(queue_url), job_table="jobs")
        source = open_source(settings)
        assert isinstance(source, JobTableSource)
        await source.check()
        await source.close()

    async def test_reads_your_table(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """It is the documented one."""
        await queue.put("batch", {"a": "waiting"})
        assert (await source.batch_counts("batch")).total == 1

    async def test_from_the_same_databases(self, queue: JobTableQueue, queue_url: str) -> None:
        """test_job_table_source.py and test_postgresql.py run on the others."""
        await queue.put("batch", {"a": "waiting"})
        assert queue_url.startswith("sqlite")

    async def test_a_batch_is_the_rows_with_its_id(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """Other rows are other batches."""
        await queue.put("batch", {"a": "waiting", "b": "waiting"})
        await queue.put("Batch", {"a": "waiting"})
        assert (await source.batch_counts("batch")).total == 2

    async def test_a_job_id_is_the_column_job_id(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """It is not changed."""
        await queue.put("batch", {"a/1": "waiting"})
        assert [one.job_id for one in await listed(source, "batch", 10)] == ["a/1"]

    async def test_lists_jobs_yes(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """The counts say so."""
        await queue.put("batch", {"a": "waiting"})
        assert (await source.batch_counts("batch")).lists_jobs

    async def test_succeeded_is_the_state_succeeded(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """Also in upper case."""
        await queue.put("batch", {"a": "succeeded", "b": "SUCCEEDED"})
        assert await _outcomes(source) == {JobOutcome.SUCCEEDED: 2}

    async def test_failed_is_the_state_failed(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """It is final."""
        await queue.put("batch", {"a": "failed"})
        assert await _outcomes(source) == {JobOutcome.FAILED: 1}

    async def test_skipped_are_skipped_and_cancelled(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """A cancelled job never started."""
        await queue.put("batch", {"a": "skipped", "b": "cancelled"})
        assert await _outcomes(source) == {JobOutcome.SKIPPED: 2}

    async def test_pending_are_waiting_and_running(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """The batch is not finished."""
        await queue.put("batch", {"a": "waiting", "b": "running"})
        assert await _outcomes(source) == {None: 2}

    async def test_a_job_to_be_retried_is_pending(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """The queue sets it to waiting."""
        await queue.put_rows("batch", {"job": "a", "state": "waiting", "attempt": 2})
        assert await listed(source, "batch", 10) == [JobStatus("a", None, 2)]

    async def test_attempt_is_the_column_attempt(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """It is optional."""
        await queue.put_rows("batch", {"job": "a", "state": "failed", "attempt": 3})
        await queue.put_rows("batch", {"job": "b", "state": "failed", "attempt": None})
        assert [one.attempt for one in await listed(source, "batch", 10)] == [3, 1]

    async def test_a_job_that_ran_twice_is_counted_once(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """It has one row."""
        await queue.put_rows("batch", {"job": "a", "state": "succeeded", "attempt": 2})
        assert await _outcomes(source) == {JobOutcome.SUCCEEDED: 1}

    async def test_an_expired_result_does_not_exist(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """Rows are kept until the queue deletes them."""
        await queue.put("batch", {"a": "succeeded"})
        assert await _outcomes(source) == {JobOutcome.SUCCEEDED: 1}

    async def test_a_deleted_job_is_not_in_the_total(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """Delete whole batches only."""
        await queue.put("batch", {"a": "succeeded", "b": "waiting"})
        await queue.remove("batch", "b")
        assert (await source.batch_counts("batch")).total == 1

    async def test_an_expired_pruned_or_deleted_batch_is_unknown(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """It has no row."""
        await queue.put("batch", {"a": "succeeded"})
        await queue.remove("batch", "a")
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")

    async def test_finished_never(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """Rows may be added."""
        await queue.put("batch", {"a": "succeeded"})
        assert not (await source.batch_counts("batch")).finished

    async def test_cancelled_when_a_job_is_cancelled(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """A skipped job says nothing about its batch."""
        await queue.put("batch", {"a": "cancelled", "b": "succeeded"})
        await queue.put("skipping", {"a": "skipped"})
        assert (await source.batch_counts("batch")).cancelled
        assert not (await source.batch_counts("skipping")).cancelled

    async def test_unreadable_data_makes_its_job_pending_with_a_problem(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """The other jobs are not affected."""
        await queue.put("batch", {"a": "done", "b": "succeeded"})
        unreadable, other = await listed(source, "batch", 10)
        assert (unreadable.outcome, unreadable.problem[:9]) == (None, "its state")
        assert other.outcome is JobOutcome.SUCCEEDED


async def _outcomes(source: JobTableSource) -> Counter[JobOutcome | None]:
    """Return the number of jobs by outcome; the counts agree with the listing."""
    counts = await source.batch_counts("batch")
    outcomes = Counter(one.outcome for one in await listed(source, "batch", 10))
    assert counts.pending == outcomes[None]
    assert counts.succeeded == outcomes[JobOutcome.SUCCEEDED]
    return outcomes
