"""Celery: a batch opened by our own calls is known to the job-status source, and so can be repaired."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.integrations.scene import LOOK_SECONDS, SECONDS_MAX, Scene
from tests.integration.integrations.test_celery import ALONE, WORKER
from tests.integration.job_status.servers import Client, serving

GROWN = (
    "progress.batches.create('grown', 0, sealed=False);"
    "[progress.add('grown', group(add.s(1), unreported.s()), part=part) for part in ('1', '2', '2')]"
)
WHOLE = "[progress.run('whole', chain(add.s(1), unreported.si(), add.si(2))) for _ in range(2)]"


@pytest.fixture(params=["redis", "database"])
def results_url(request: pytest.FixtureRequest, scene: Scene, tmp_path: Path) -> str:
    """Return where Celery keeps results."""
    return scene.redis_url if request.param == "redis" else f"db+sqlite:///{tmp_path}/results.db"


@pytest_asyncio.fixture
async def source(results_url: str) -> AsyncIterator[Client]:
    """Serve the source over them."""
    if results_url.startswith("redis"):
        async with serving("celery", redis_url=results_url) as client:
            yield client
    else:
        url = results_url.removeprefix("db+").replace("sqlite", "sqlite+aiosqlite")
        async with serving("celery", url) as client:
            yield client


async def test_what_was_never_reported_is_repaired(scene: Scene, source: Client, results_url: str) -> None:
    """Parts that were added, one of them twice, and a canvas that was run twice: every task is listed."""
    await scene.enqueue("celery", f"{GROWN}; {WHOLE}", TEST_RESULTS=results_url)
    listed = await source.page("grown")
    assert [one.outcome for one in listed.job_statuses] == [pb.JOB_OUTCOME_UNSPECIFIED] * 4
    async with scene.worker(*WORKER, *ALONE, TEST_RESULTS=results_url):
        for batch_id, unreported in (("grown", 2), ("whole", 1)):
            await scene.until(batch_id, 2)
            await _until_ended(source, batch_id)
            listed = await source.page(batch_id)
            assert {one.outcome for one in listed.job_statuses} == {pb.JOB_OUTCOME_SUCCEEDED}
            assert (await scene.progress.get(batch_id)).pending_jobs == unreported
    await scene.reconcile(source.target)
    grown = await scene.progress.get("grown")
    # An end that nobody has announced is no end: more parts may come.
    assert (grown.pending_jobs, grown.reconciled_jobs, grown.state) == (0, 2, pb.BATCH_STATE_PROCESSING)
    whole = await scene.progress.get("whole")
    assert (whole.succeeded_jobs, whole.reconciled_jobs, whole.state) == (3, 1, pb.BATCH_STATE_COMPLETED)


async def test_a_part_of_another_batch_is_not_listed(scene: Scene, source: Client, results_url: str) -> None:
    """Ids that begin alike, or hold what a pattern would read, are of their own batches."""
    calls = ";".join(
        f"progress.batches.create({one!r}, 0, sealed=False); progress.add({one!r}, add.s(1), part='1')"
        for one in ("b", "b_", "bc", "B", "b%")
    )
    await scene.enqueue("celery", calls, TEST_RESULTS=results_url)
    for batch_id in ("b", "b_", "bc", "B", "b%"):
        assert (await source.counts(batch_id)).total == 1


async def test_results_that_go_to_the_caller_alone_fail_nothing(scene: Scene) -> None:
    """A backend that keeps no groups leaves the batch unknown to the source; its tasks run."""
    await scene.enqueue("celery", "progress.run('b', group(add.s(1), add.s(2)))", TEST_RESULTS="rpc://")
    async with scene.worker(*WORKER, *ALONE):
        assert await scene.completed("b") == (2, 0, 0)


async def _until_ended(source: Client, batch_id: str) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while (await source.counts(batch_id)).pending:  # noqa: ASYNC110  # the backend tells nobody
            await asyncio.sleep(LOOK_SECONDS)
