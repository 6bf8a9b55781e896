"""Celery: the job-status source knows every batch that `run` or `add` creates, so it can be repaired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.integrations.scene import Scene
from tests.integration.integrations.test_celery import QUIET, WORKER
from tests.integration.job_status.servers import Client, serving
from tests.support.eventually import eventually

ALIKE = ("b", "b_", "bc", "B", "b%")
"""Ids with a common beginning, or with characters that mean something in a pattern."""
ADDED = (
    f"for batch_id in {ALIKE}: progress.batches.create(batch_id, 0, sealed=False); "
    "[progress.add(batch_id, group(add.s(1), unreported.s()), part=part) for part in ('1', '2', '2')]"
)
RUN = (
    "[progress.run('whole', chain(add.s(1), unreported.si(), add.si(2))) for _ in range(2)];"
    "progress.batches.create('grown', 0, sealed=False);"
    "progress.add('grown', group(add.s(1), unreported.s()), part='1')"
)


@pytest.fixture(params=["redis", "database"])
def results_url(request: pytest.FixtureRequest, scene: Scene, tmp_path: Path) -> str:
    """Return the URL of Celery's result backend."""
    return scene.redis_url if request.param == "redis" else f"db+sqlite:///{tmp_path}/results.db"


@asynccontextmanager
async def source_of(results_url: str) -> AsyncIterator[Client]:
    """Serve the source of these results."""
    if results_url.startswith("redis"):
        async with serving("celery", redis_url=results_url) as client:
            yield client
    else:
        url = results_url.removeprefix("db+").replace("sqlite", "sqlite+aiosqlite")
        async with serving("celery", url) as client:
            yield client


async def test_every_task_is_listed_in_its_own_batch(scene: Scene, results_url: str) -> None:
    """They are listed before they run, and once each although one part was added twice."""
    await scene.enqueue("celery", f"exec({ADDED!r})", TEST_RESULTS=results_url)
    async with source_of(results_url) as source:
        for batch_id in ALIKE:
            counts, page = await source.counts(batch_id), await source.page(batch_id)
            assert (counts.total, counts.pending, counts.finished) == (4, 4, False)
            assert len({one.job_id for one in page.job_statuses}) == 4


async def test_unreported_results_are_recovered(scene: Scene) -> None:
    """A sealed batch completes; an unsealed one may still get more parts."""
    await scene.enqueue("celery", RUN)
    async with source_of(scene.redis_url) as source:
        async with scene.worker(*WORKER, *QUIET):
            await _until_all_ran(source, "whole")
            await _until_all_ran(source, "grown")
            # Only the results that were not reported are missing.
            assert (await scene.until("whole", 2)).pending_jobs == 1
            assert (await scene.until("grown", 1)).pending_jobs == 1
        await scene.reconcile(source.target)
    whole, grown = [await scene.progress.get(batch_id) for batch_id in ("whole", "grown")]
    assert (whole.succeeded_jobs, whole.reconciled_jobs, whole.state) == (3, 1, pb.BATCH_STATE_COMPLETED)
    assert (grown.succeeded_jobs, grown.reconciled_jobs, grown.state) == (2, 1, pb.BATCH_STATE_PROCESSING)


async def test_a_part_that_cannot_be_saved_is_neither_counted_nor_published(scene: Scene) -> None:
    """A list without it would end the batch too early. The call may be repeated."""
    await scene.progress.create("b", 0, sealed=False)
    add = "progress.add('b', group(add.s(1), add.s(2)), part='1')"
    refused = f"try: {add}\nexcept Exception: os._exit(0)\nos._exit(1)"
    await scene.enqueue("celery", f"exec({refused!r})", TEST_RESULTS="redis://127.0.0.1:1/0")
    assert (scene.redis.llen("celery"), (await scene.progress.get("b")).total_jobs) == (0, 0)
    await scene.enqueue("celery", add)
    assert (scene.redis.llen("celery"), (await scene.progress.get("b")).total_jobs) == (2, 2)


async def test_a_backend_that_keeps_no_groups_fails_no_task(scene: Scene) -> None:
    """The tasks are published; the source does not know the batch."""
    calls = "progress.run('b', group(add.s(1), add.s(2))); progress.add('c', add.s(1), part='1')"
    await scene.enqueue("celery", calls, TEST_RESULTS="rpc://")
    assert scene.redis.llen("celery") == 3


async def _until_all_ran(source: Client, batch_id: str) -> None:
    async def have_ended() -> bool:
        return (await source.counts(batch_id)).pending == 0

    await eventually(have_ended)
