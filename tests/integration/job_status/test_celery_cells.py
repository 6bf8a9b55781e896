"""What docs/job-status-source.md claims of Celery, cell by cell: each test bears the name of its row."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from celery import Celery, states
from celery.app.task import Context
from celery.result import GroupResult
from pydantic import SecretStr

from batches.result import JobOutcome
from batchprogress.integrations.celery_groups import save_part
from services.job_status.settings import JobStatusSettings
from services.job_status.source import BatchUnknown
from services.job_status.sources.celery import CelerySource
from services.job_status.sources.celery_redis import RedisResults
from services.job_status.sources.redis import QueueRedis
from services.job_status.wiring import open_source
from tests.integration.job_status.celery_app import make_app
from tests.integration.job_status.source_contract import listed

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture
def app(redis_url: str, reader_url: str) -> Iterator[Celery]:
    """Yield an application without tasks; `reader_url` empties Redis afterwards."""
    assert reader_url
    app = make_app(redis_url, redis_url)
    yield app
    app.close()


@pytest.fixture
async def source(reader_url: str) -> AsyncIterator[CelerySource]:
    """Yield the source over the result backend, with a read-only account."""
    source = CelerySource(RedisResults(QueueRedis(reader_url)))
    yield source
    await source.close()


def put(app: Celery, *found: str | None) -> None:
    """Save a batch of tasks, with ids from `a` on, and a result of each state; None stores no result."""
    ids = [chr(ord("a") + number) for number in range(len(found))]
    GroupResult("batch", [app.AsyncResult(one) for one in ids], app=app).save()
    for task_id, state in zip(ids, found, strict=True):
        if state is not None:
            error = ValueError("why") if state in states.EXCEPTION_STATES else None
            app.backend.store_result(task_id, error, state)


class TestCells:
    """The cells."""

    async def test_job_status_source_is_celery(self, reader_url: str) -> None:
        """The name opens this source."""
        source = open_source(JobStatusSettings(source="celery", redis_url=SecretStr(reader_url)))
        assert isinstance(source, CelerySource)
        await source.check()
        await source.close()

    async def test_reads_the_result_backend(self, app: Celery, source: CelerySource) -> None:
        """No message has to be in the broker."""
        put(app, states.SUCCESS)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED]

    @pytest.mark.parametrize("django", [False, True])
    async def test_from_redis_or_the_same_databases(self, django: bool, queue_url: str) -> None:  # noqa: FBT001  # a setting
        """test_celery_source.py and test_celery_django.py run on each."""
        url = SecretStr(queue_url)
        source = open_source(JobStatusSettings(source="celery", database_url=url, celery_django=django))
        assert isinstance(source, CelerySource)
        await source.close()

    async def test_a_batch_is_a_saved_group_result(self, app: Celery, source: CelerySource) -> None:
        """Its tasks may be of any kind."""
        put(app, None, None)
        assert (await source.batch_counts("batch")).total == 2

    async def test_a_job_id_is_the_task_id(self, app: Celery, source: CelerySource) -> None:
        """It is not changed."""
        put(app, None)
        assert [one.job_id for one in await listed(source, "batch", 10)] == ["a"]

    async def test_lists_jobs_yes(self, app: Celery, source: CelerySource) -> None:
        """The counts say so."""
        put(app, None)
        assert (await source.batch_counts("batch")).lists_jobs

    async def test_succeeded_is_success(self, app: Celery, source: CelerySource) -> None:
        """The name is Celery's."""
        put(app, states.SUCCESS)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED]

    async def test_failed_is_failure(self, app: Celery, source: CelerySource) -> None:
        """It has its error."""
        put(app, states.FAILURE)
        assert await outcomes(source) == [JobOutcome.FAILED]
        (failed,) = await listed(source, "batch", 10)
        assert (failed.error_type, failed.error_message) == ("ValueError", "why")

    async def test_skipped_is_revoked(self, app: Celery, source: CelerySource) -> None:
        """Its worker discarded it."""
        put(app, states.REVOKED)
        assert await outcomes(source) == [JobOutcome.SKIPPED]

    async def test_pending_are_all_others(self, app: Celery, source: CelerySource) -> None:
        """They include the states of an application, and tasks without a result."""
        put(app, states.PENDING, states.RECEIVED, states.STARTED, "IMPORTING", None)
        assert await outcomes(source) == [None] * 5

    async def test_a_job_to_be_retried_is_pending(self, app: Celery, source: CelerySource) -> None:
        """Its state has the error of the attempt."""
        put(app, states.RETRY)
        assert await outcomes(source) == [None]

    async def test_attempt_is_retries_plus_1_with_result_extended(
        self, app: Celery, source: CelerySource
    ) -> None:
        """Without it the attempt is 1."""
        put(app, None, None)
        for task_id, extended in (("a", True), ("b", False)):
            app.conf.result_extended = extended
            app.backend.store_result(task_id, None, states.SUCCESS, request=Context({"retries": 2}))
        assert [one.attempt for one in await listed(source, "batch", 10)] == [3, 1]

    async def test_a_job_that_ran_twice_is_counted_once(self, app: Celery, source: CelerySource) -> None:
        """Celery keeps a success, whatever comes later."""
        put(app, states.SUCCESS)
        app.backend.store_result("a", ValueError("why"), states.FAILURE)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED]

    async def test_an_expired_result_is_pending(self, app: Celery, source: CelerySource) -> None:
        """Its outcome is not known any more."""
        put(app, states.FAILURE)
        app.AsyncResult("a").forget()
        assert await outcomes(source) == [None]

    async def test_a_deleted_job_is_pending(self, app: Celery, source: CelerySource) -> None:
        """A task that is purged from the broker never gets a result."""
        put(app, None)
        app.control.purge()
        assert await outcomes(source) == [None]

    async def test_an_expired_pruned_or_deleted_batch_is_unknown(
        self, app: Celery, source: CelerySource
    ) -> None:
        """It is never an empty batch."""
        put(app, states.SUCCESS)
        GroupResult.restore("batch", app=app).delete()
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")

    async def test_finished_when_no_job_is_pending_but_not_after_add_or_without_jobs(
        self, app: Celery, source: CelerySource
    ) -> None:
        """`add` may add more tasks."""
        put(app)
        assert not (await source.batch_counts("batch")).finished
        put(app, states.SUCCESS)
        assert (await source.batch_counts("batch")).finished
        save_part(app, "batch", "part", ["a"])
        counts = await source.batch_counts("batch")
        assert (counts.total, counts.pending, counts.finished) == (1, 0, False)

    async def test_cancelled_never(self, app: Celery, source: CelerySource) -> None:
        """Celery revokes tasks only."""
        put(app, states.REVOKED)
        assert not (await source.batch_counts("batch")).cancelled

    async def test_unreadable_data_makes_its_job_pending_with_a_problem(
        self, app: Celery, source: CelerySource
    ) -> None:
        """The other tasks are not affected. test_celery_source.py has the contradiction of a group."""
        put(app, None, states.SUCCESS)
        app.backend.client.set("celery-task-meta-a", json.dumps({"result": 1}))
        assert await outcomes(source) == [None, JobOutcome.SUCCEEDED]
        assert (await listed(source, "batch", 10))[0].problem == "its result is not in the format of Celery"


async def outcomes(source: CelerySource) -> list[JobOutcome | None]:
    """Return the outcomes in the order of the ids; the counts agree with the listing."""
    counts = await source.batch_counts("batch")
    found = [one.outcome for one in await listed(source, "batch", 10)]
    numbers = (counts.succeeded, counts.failed, counts.skipped, counts.pending)
    assert numbers == tuple(found.count(one) for one in (*JobOutcome, None))
    return found
