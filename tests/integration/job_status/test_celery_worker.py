"""Celery's results as real workers write them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from celery import Celery, group
from celery.result import GroupResult
from redis import Redis

from batches.result import JobOutcome
from services.job_status.source import BatchUnknown, JobStatus
from services.job_status.sources.celery import CelerySource
from services.job_status.sources.celery_redis import RedisResults
from services.job_status.sources.celery_tables import DatabaseResults, celery_tables
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.redis import QueueRedis
from tests.integration.job_status.celery_app import make_app
from tests.integration.job_status.processes import celery_worker
from tests.integration.job_status.source_contract import WORK_SECONDS_MAX, listed, wait_until_pending

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture(scope="module")
def _workers(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Celery]]:
    """Run a worker for each result backend; yields an application for each."""
    file = tmp_path_factory.mktemp("results") / "results.db"
    urls = {
        "redis": (redis_url.replace("/0", "/1"), redis_url.replace("/0", "/1")),
        "database": (redis_url.replace("/0", "/2"), f"db+sqlite:///{file}"),
    }
    with celery_worker(*urls["redis"]), celery_worker(*urls["database"]):
        apps = {backend: make_app(*pair) for backend, pair in urls.items()}
        for app in apps.values():  # a worker that starts later would miss that a task is revoked
            app.send_task("succeed").get(timeout=WORK_SECONDS_MAX)
        yield apps
        for app in apps.values():
            app.close()
        for number in (1, 2):
            with Redis.from_url(redis_url, db=number) as redis:
                redis.flushdb()


@pytest.fixture(params=["redis", "database"])
def app(request: pytest.FixtureRequest, _workers: dict[str, Celery]) -> Celery:
    """Return an application with a running worker."""
    return _workers[request.param]


@pytest.fixture
async def source(app: Celery) -> AsyncIterator[CelerySource]:
    """Yield the source over the application's result backend."""
    url = app.conf.result_backend
    if url.startswith("db+"):
        database = QueueDatabase(url.removeprefix("db+").replace("sqlite://", "sqlite+aiosqlite://"))
        source = CelerySource(DatabaseResults(database, celery_tables(extended=True)))
    else:
        source = CelerySource(RedisResults(QueueRedis(url)))
    yield source
    await source.close()


async def test_tasks_have_the_outcome_of_their_worker(app: Celery, source: CelerySource) -> None:
    """They succeed, fail, are retried, store no result or are revoked."""
    names = ("succeed", "fail", "succeed_at_third_attempt", "fail_twice", "succeed_without_result")
    tasks = [app.tasks[name].s().set(task_id=name) for name in names]
    late = app.tasks["succeed"].s().set(task_id="revoked", countdown=1)
    result = group([*tasks, late]).apply_async()
    result.save()
    app.control.revoke("revoked")
    await wait_until_pending(source, result.id, pending=1)
    found = await listed(source, result.id, 4)
    # Celery stores the name of a revoked task only if it comes before the revocation.
    assert found[2].display_name in {"", "succeed"}
    found[2] = replace(found[2], display_name="")
    assert found == [
        JobStatus("fail", JobOutcome.FAILED, 1, "ValueError", "no such row, 17", "fail"),
        JobStatus("fail_twice", JobOutcome.FAILED, 2, "KeyError", "row", "fail_twice"),
        JobStatus("revoked", JobOutcome.SKIPPED, 1, "TaskRevokedError", "revoked"),
        JobStatus("succeed", JobOutcome.SUCCEEDED, display_name="succeed"),
        JobStatus(
            "succeed_at_third_attempt", JobOutcome.SUCCEEDED, 3, display_name="succeed_at_third_attempt"
        ),
        JobStatus("succeed_without_result", None),
    ]


async def test_any_tasks_become_a_batch(app: Celery, source: CelerySource) -> None:
    """A task that is sent twice is one job."""
    results = [app.tasks["succeed"].apply_async(task_id=f"listed-{number % 2}") for number in range(4)]
    GroupResult("any-batch-id", results, app=app).save()
    await wait_until_pending(source, "any-batch-id", pending=0)
    assert (await source.batch_counts("any-batch-id")).succeeded == 2


async def test_expired_result_is_pending(app: Celery, source: CelerySource) -> None:
    """It is never failed. An expired group is unknown."""
    result = group([app.tasks["fail"].s() for _ in range(3)]).apply_async()
    result.save()
    await wait_until_pending(source, result.id, pending=0)
    result.results[0].forget()
    counts = await source.batch_counts(result.id)
    assert (counts.failed, counts.pending) == (2, 1)
    result.delete()
    with pytest.raises(BatchUnknown):
        await source.batch_counts(result.id)
