"""Batches of real Laravel applications that get jobs after they were dispatched."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.scene import Scene, tallies

SEALED = '--option={"sealed": true}'
pytestmark = pytest.mark.xdist_group("laravel")


async def test_jobs_added_after_the_end_are_refused_with_a_line_in_the_log(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 10)
    await scene.app.work()
    await scene.reported(batch_id, succeeded=10)
    await scene.add(batch_id, ["succeed"] * 5)
    assert "AddJobs was refused: HTTP 400 BATCH_SEALED" in scene.app.log
    await scene.app.work()
    assert "a result was refused: BATCH_FULL" in scene.app.log
    look = await scene.look(batch_id, "5 jobs added after a batch of 10 had ended")
    assert look.row.total_jobs == 15
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(look.batch) == (10, 0, 0)


async def test_batch_that_grows_but_was_created_sealed_ends_with_its_announced_jobs(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 10, SEALED)
    assert (await scene.progress.get(batch_id)).sealed
    await scene.add(batch_id, ["succeed"] * 10)
    await scene.app.work()
    await scene.reported(batch_id, succeeded=10)
    assert "a result was refused: BATCH_FULL" in scene.app.log
    look = await scene.look(batch_id, "a batch of 10 jobs, created sealed, grew to 20")
    assert look.row.total_jobs == 20
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(look.batch) == (10, 0, 0)


async def test_batch_that_grows_ends_with_all_its_jobs(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 9 + ["add"])
    assert not (await scene.progress.get(batch_id)).sealed
    await scene.add(batch_id, ["succeed"] * 8)
    assert (await scene.progress.get(batch_id)).total_jobs == 18
    await scene.app.work()
    await scene.reported(batch_id, succeeded=20)
    look = await scene.look(batch_id, "a batch of 10 jobs grew to 20")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(look.batch) == (20, 0, 0)
