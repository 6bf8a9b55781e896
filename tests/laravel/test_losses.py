"""Workers of real Laravel applications that die."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.scene import Scene, tallies
from tests.support.eventually import eventually

pytestmark = pytest.mark.xdist_group("laravel")


async def test_killed_job_is_reported_by_the_worker_that_runs_it_again(scene: Scene) -> None:
    scene.app.environment["QUEUE_RETRY_AFTER"] = "1"
    batch_id = await scene.dispatch(["succeed"] * 9 + ["sleep"])
    async with scene.app.worker() as killed:
        await scene.reported(batch_id, succeeded=9)
        killed.kill()
    async with scene.app.worker("--tries=3"):
        await scene.reported(batch_id, succeeded=10)
        await scene.ended(batch_id)
    look = await scene.look(batch_id, "a worker killed during a job, which another worker ran again")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert (await scene.attempts(batch_id))[:9] == [1] * 9
    assert (await scene.attempts(batch_id))[9] > 1


async def test_results_that_a_killed_worker_had_not_sent_are_taken_from_the_counts(scene: Scene) -> None:
    scene.app.environment["QUEUE_RETRY_AFTER"] = "1"
    batch_id = await scene.dispatch(["succeed"] * 5 + ["sleep"] + ["succeed"] * 14)
    with scene.gateway():
        async with scene.app.worker() as killed:
            await eventually(lambda: scene.has_pending(batch_id, 15))
            killed.kill()
    async with scene.app.worker("--tries=3"):
        await scene.reported(batch_id, succeeded=15)
    look = await scene.look(batch_id, "a worker killed before it sent 5 of 20 results")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert (tallies(look.batch), look.batch.reconciled_jobs) == ((20, 0, 0), 5)


async def test_job_that_exceeds_its_time_limit_is_reported_as_failed(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 9 + ["sleep"])
    async with scene.app.worker("--timeout=1"):
        await scene.reported(batch_id, succeeded=9, failed=1)
        await scene.ended(batch_id)
    look = await scene.look(batch_id, "one of 10 jobs exceeded its time limit")
    assert look.answer == "9 / 1 / 0 / 0, finished"


async def test_jobs_run_without_a_gateway_and_a_pass_takes_their_counts(scene: Scene) -> None:
    scene.app.broken.touch()
    batch_id = await scene.dispatch(["succeed"] * 17 + ["fail while broken"] * 3)
    with scene.gateway():
        await scene.app.work()
    assert scene.app.log.count("jobs go on, and their results are sent later") == 1
    assert scene.app.log.count("21 calls and results are lost") == 1
    look = await scene.look(batch_id, "3 of 20 jobs failed, and nothing was reported")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(look.batch) == (17, 3, 0)
    assert look.batch.reconciled_jobs == 20
