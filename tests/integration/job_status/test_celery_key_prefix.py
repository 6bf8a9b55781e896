"""Celery with a `global_keyprefix`: its keys in Redis begin with it."""

from collections.abc import Iterator

import pytest
from celery import Celery, group

from batches.result import JobOutcome
from services.job_status.source import BatchUnknown, JobStatus
from services.job_status.sources.celery import CelerySource
from services.job_status.sources.celery_redis import RedisResults
from services.job_status.sources.redis import QueueRedis
from tests.integration.job_status.celery_app import make_app
from tests.integration.job_status.processes import celery_worker
from tests.integration.job_status.servers import serving
from tests.integration.job_status.source_contract import listed, wait_until_pending

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture(params=["shop", "shop:"])
def prefixed(request: pytest.FixtureRequest, redis_url: str, reader_url: str) -> Iterator[tuple[Celery, str]]:
    """Yield an application and its prefix; `reader_url` empties Redis afterwards."""
    assert reader_url
    app = make_app(redis_url, redis_url, request.param)
    yield app, request.param
    app.close()


async def test_batch_is_known_with_the_prefix_of_its_application(
    prefixed: tuple[Celery, str], reader_url: str
) -> None:
    """Celery appends an underscore to a prefix without a separator."""
    app, prefix = prefixed
    results = group([app.tasks["succeed"].s().set(task_id="a")]).apply_async(task_id="batch")
    results.save()
    app.backend.store_result("a", None, "SUCCESS")
    async with serving("celery", redis_url=reader_url, celery_key_prefix=prefix) as client:
        counts = await client.counts(results.id)
    assert (counts.total, counts.succeeded) == (1, 1)
    source = CelerySource(RedisResults(QueueRedis(reader_url)))
    with pytest.raises(BatchUnknown):
        await source.batch_counts(results.id)
    await source.close()


@pytest.mark.more("runs another worker")
async def test_results_of_a_real_worker_are_read(prefixed: tuple[Celery, str], redis_url: str) -> None:
    app, prefix = prefixed
    source = CelerySource(RedisResults(QueueRedis(redis_url), key_prefix=prefix))
    with celery_worker(redis_url, redis_url, key_prefix=prefix):
        results = group([app.tasks[name].s().set(task_id=name) for name in ("fail", "succeed")]).apply_async()
        results.save()
        await wait_until_pending(source, results.id, pending=0)
    assert await listed(source, results.id, 10) == [
        JobStatus("fail", JobOutcome.FAILED, 1, "ValueError", "no such row, 17", "fail"),
        JobStatus("succeed", JobOutcome.SUCCEEDED, display_name="succeed"),
    ]
    await source.close()
