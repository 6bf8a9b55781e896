"""What real Laravel applications report, and when."""

import json

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.faults.conftest import FULL
from tests.laravel.scene import Scene, tallies

pytestmark = pytest.mark.xdist_group("laravel")

JOBS = 1_037 if FULL else 137
WORK_SECONDS_MAX = 300.0
"""Laravel runs some dozens of jobs per second, and fewer on a busy machine."""


async def test_each_of_many_jobs_is_counted_once(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * (JOBS - 7) + ["fail"] * 7)
    await scene.app.work(workers=4, seconds_max=WORK_SECONDS_MAX)
    batch = await scene.ended(batch_id)
    assert (batch.state, batch.total_jobs) == (pb.BATCH_STATE_COMPLETED, JOBS)
    assert tallies(batch) == (JOBS - 7, 7, 0)
    assert "Batch Progress" not in scene.app.log


async def test_attempt_that_is_retried_is_not_reported_before_the_last(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 3 + ["fail"])
    await scene.app.work("--tries=3")
    await scene.reported(batch_id, succeeded=3, failed=1)
    assert await scene.attempts(batch_id) == [1, 1, 1, 3]


async def test_process_that_ends_after_one_job_reports_it(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"])
    await scene.app.artisan("queue:work", "--once")
    await scene.reported(batch_id, succeeded=1)
    await scene.ended(batch_id)


async def test_jobs_that_run_while_they_are_dispatched_are_reported(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 5, "--connection=sync")
    await scene.reported(batch_id, succeeded=5)
    await scene.ended(batch_id)


async def test_process_that_a_job_ends_reports_the_jobs_before(scene: Scene) -> None:
    jobs = json.dumps([*["succeed"] * 3, "exit"])
    assert await scene.app.fails("app:batch", jobs, "--connection=sync") == 1
    (batch,) = (await scene.progress.stub.ListBatches(pb.ListBatchesRequest())).batches
    assert (tallies(batch), batch.total_jobs) == ((3, 0, 0), 4)


async def test_chain_is_counted_with_all_its_jobs(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed", ["succeed"] * 3], '--option={"sealed": true}')
    assert (await scene.progress.get(batch_id)).total_jobs == 4
    await scene.app.work()
    await scene.reported(batch_id, succeeded=4)


async def test_batch_whose_option_is_false_is_not_reported(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed", ["succeed"] * 2], "--option=false")
    await scene.app.work()
    listed = await scene.progress.stub.ListBatches(pb.ListBatchesRequest())
    assert batch_id not in {batch.batch_id for batch in listed.batches}
    assert "Batch Progress" not in scene.app.log


async def test_application_without_the_url_runs_as_before(scene: Scene) -> None:
    with scene.gateway(""):
        batch_id = await scene.dispatch(["succeed"] * 3)
        await scene.app.work()
    assert (await scene.row(batch_id)).pending_jobs == 0
    listed = await scene.progress.stub.ListBatches(pb.ListBatchesRequest())
    assert not listed.batches
