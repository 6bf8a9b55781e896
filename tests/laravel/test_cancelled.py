"""Batches of real Laravel applications that are cancelled."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.scene import Scene, tallies

pytestmark = pytest.mark.xdist_group("laravel")


async def test_jobs_that_return_because_of_the_cancellation_are_skipped(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 5 + ["cancel"] + ["succeed"] * 14)
    await scene.app.work()
    await scene.reported(batch_id, succeeded=6, skipped=14)
    look = await scene.look(batch_id, "cancelled after 6 of 20 jobs")
    assert look.row.is_cancelled
    assert (
        look.answer == "20 / 0 / 0 / 0, finished, cancelled"
    )  # Laravel counts jobs that return as succeeded
    assert look.batch.state == pb.BATCH_STATE_COMPLETED  # it had ended before the pass
    assert tallies(look.batch) == (6, 0, 14)


async def test_cancelled_batch_with_a_missing_report_is_cancelled_by_a_pass(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 5 + ["cancel"] + ["succeed"] * 14)
    with scene.gateway():
        await scene.app.work("--max-jobs=1")
    await scene.app.work()
    await scene.reported(batch_id, succeeded=5, skipped=14)
    look = await scene.look(batch_id, "cancelled after 6 of 20 jobs, of which 1 was not reported")
    assert look.batch.state == pb.BATCH_STATE_CANCELLED
    assert tallies(look.batch) == (6, 0, 14)
