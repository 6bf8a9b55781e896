"""What docs/job-status-source.md claims of Laravel, cell by cell: each test bears the name of its row."""

import json

import pytest
from pydantic import SecretStr

from services.job_status.settings import JobStatusSettings
from services.job_status.source import BatchCounts, BatchUnknown, JobsNotListed, QueueContradiction
from services.job_status.sources.laravel import LaravelSource
from services.job_status.wiring import open_source
from tests.integration.job_status.queues import LaravelQueue

BATCH = "9b2f6c1e-7a53-4f0e-9d53-0e6a0c3f5a11"
"""Laravel's ids are UUIDs."""


class LaravelCells:
    """The cells. A subclass defines the fixtures `queue` (created, empty) and `source` (over that queue)."""

    async def test_job_status_source_is_laravel(self, queue: LaravelQueue) -> None:
        """The name opens this source."""
        source = open_source(JobStatusSettings(source="laravel", database_url=SecretStr(queue.url)))
        assert isinstance(source, LaravelSource)
        await source.check()
        await source.close()

    async def test_reads_job_batches_and_no_other_column(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """The options are PHP's; garbage in them does no harm."""
        options = 'O:8:"stdClass":1:{s:3:"'
        await queue.put_row(BATCH, 3, 1, "[]", options=options)
        assert await tallies(source) == (3, 2, 0, 0, 1)

    async def test_from_a_database_of_each_kind(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """This class runs on MySQL, MariaDB, PostgreSQL and SQLite."""
        await queue.put(BATCH, {"a": "succeeded"})
        assert await tallies(source) == (1, 1, 0, 0, 0)

    async def test_a_batch_is_a_row(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """Other rows are other batches, however similar their ids are."""
        for number, batch_id in enumerate((BATCH, f"{BATCH}-2", BATCH[:-1], "Käse / 日本"), start=1):
            await queue.put_row(batch_id, number, number, "[]")
        assert (await source.batch_counts(BATCH)).total == 1
        assert (await source.batch_counts("Käse / 日本")).total == 4

    async def test_a_job_id_is_not_known(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """Ids of failed jobs may hold any characters: they are only counted."""
        await queue.put_row(BATCH, 4, 4, json.dumps(["a b", "Käse", "\ud83c", 7]))
        assert await tallies(source) == (4, 0, 4, 0, 0)

    async def test_lists_jobs_no(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """The listing is refused."""
        await queue.put(BATCH, {"a": "succeeded"})
        assert not (await source.batch_counts(BATCH)).lists_jobs
        with pytest.raises(JobsNotListed):
            await source.job_page(BATCH, None, 10)

    async def test_succeeded_is_total_minus_pending_jobs(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """Each success lowered pending_jobs."""
        await queue.put_row(BATCH, 1_037, 21, "[]")
        assert (await source.batch_counts(BATCH)).succeeded == 1_016

    async def test_failed_are_distinct_failed_job_ids_at_most_pending_jobs(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """A job that failed again under the id of Horizon's retry is counted once."""
        await queue.put_row(BATCH, 10, 3, '["a", "b", "a"]')
        assert await tallies(source) == (10, 7, 2, 0, 1)
        await queue.put_row("retried-by-horizon", 10, 1, '["a", "a-again"]')
        assert await tallies(source, "retried-by-horizon") == (10, 9, 1, 0, 0)

    async def test_skipped_are_not_known(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """A job that returned because its batch was cancelled counts as a success."""
        await queue.put_row(BATCH, 3, 0, "[]")
        await queue.cancel(BATCH)
        assert await tallies(source) == (3, 3, 0, 0, 0)

    async def test_pending_are_all_others(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """They are the jobs of pending_jobs that did not fail."""
        await queue.put_row(BATCH, 10, 4, '["a"]')
        assert await tallies(source) == (10, 6, 1, 0, 3)

    async def test_a_job_to_be_retried_by_its_worker_is_pending_by_a_person_failed(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """A release changes nothing in the row, and `queue:retry-batch` nothing until the job succeeds."""
        await queue.put_row("released by its worker", 3, 1, "[]")
        assert (await source.batch_counts("released by its worker")).pending == 1
        await queue.put_row("retried by a person", 3, 1, '["a"]')
        assert await tallies(source, "retried by a person") == (3, 2, 1, 0, 0)
        await queue.put_row("retried with success", 3, 0, "[]")
        assert await tallies(source, "retried with success") == (3, 3, 0, 0, 0)

    async def test_attempt_is_not_known(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """The column failed_jobs counts failures, not jobs; LaravelQueue sets it to 9."""
        await queue.put_row(BATCH, 3, 1, '["a"]')
        assert (await source.batch_counts(BATCH)).failed == 1

    async def test_a_job_that_ran_twice_counts_each_success(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """With one success too many, the last job is hidden; with two, the row contradicts itself."""
        await queue.put_row("one job still runs", 3, 0, "[]")
        assert await tallies(source, "one job still runs") == (3, 3, 0, 0, 0)
        for pending in (-1, -10):
            await queue.put_row(f"{pending} pending", 3, pending, "[]")
            with pytest.raises(QueueContradiction, match="pending_jobs is negative"):
                await source.batch_counts(f"{pending} pending")

    async def test_an_expired_result_does_not_exist(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """The counts stay as long as the row."""
        await queue.put_row(BATCH, 3, 0, "[]")
        assert await tallies(source) == (3, 3, 0, 0, 0)

    async def test_a_deleted_job_is_pending_forever(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """`queue:clear` and a chain whose first job failed leave their jobs in pending_jobs."""
        await queue.put_row("cleared", 1_037, 699, "[]")
        await queue.cancel("cleared")
        counts = await source.batch_counts("cleared")
        assert (counts.cancelled, counts.finished, counts.pending) == (True, False, 699)
        await queue.put_row("chains", 9, 5, '["a", "b"]')
        assert await tallies(source, "chains") == (9, 4, 2, 0, 3)

    async def test_an_expired_pruned_or_deleted_batch_is_unknown(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """It is never an empty batch."""
        await queue.put("another", {"a": "succeeded"})
        with pytest.raises(BatchUnknown):
            await source.batch_counts(BATCH)

    async def test_finished_when_no_job_is_pending_but_not_without_jobs(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """Bus::batch([]) makes a row of 0 jobs, and a program adds them later."""
        await queue.put_row("empty", 0, 0, "[]")
        await queue.put_row("running", 3, 2, '["a"]')
        await queue.put_row("ended", 3, 1, '["a"]')
        finished = [(await source.batch_counts(one)).finished for one in ("empty", "running", "ended")]
        assert finished == [False, False, True]

    async def test_cancelled_when_cancelled_at_is_set(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """Its jobs may still run, although Laravel sets finished_at."""
        await queue.put_row(BATCH, 3, 2, "[]")
        assert not (await source.batch_counts(BATCH)).cancelled
        await queue.cancel(BATCH)
        counts = await source.batch_counts(BATCH)
        assert (counts.cancelled, counts.finished) == (True, False)

    @pytest.mark.parametrize("failed_job_ids", ["[", '{"a":', '"a"', "[[1]]", "a:1:{i:0;s:1:'a';}", "1"])
    async def test_unreadable_data_is_a_contradiction(
        self, failed_job_ids: str, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """The problem names the column, never its content; other batches are not affected."""
        await queue.put_row("broken", 3, 3, failed_job_ids)
        await queue.put_row("sound", 3, 3, None)
        with pytest.raises(QueueContradiction, match="failed_job_ids is not"):
            await source.batch_counts("broken")
        assert (await source.batch_counts("sound")).pending == 3


async def tallies(source: LaravelSource, batch_id: str = BATCH) -> tuple[int, int, int, int, int]:
    """Return the counts of a batch, which must add up."""
    counts: BatchCounts = await source.batch_counts(batch_id)
    assert counts.succeeded + counts.failed + counts.skipped + counts.pending == counts.total
    return counts.total, counts.succeeded, counts.failed, counts.skipped, counts.pending
