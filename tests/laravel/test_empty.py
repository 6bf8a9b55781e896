"""Batches of real Laravel applications that are empty at first."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.scene import Scene

pytestmark = pytest.mark.xdist_group("laravel")


async def test_empty_batch_is_not_finished_before_its_loader_adds_jobs(scene: Scene) -> None:
    batch_id = await scene.dispatch([])
    empty = await scene.look(batch_id, "an empty batch")
    assert empty.row.total_jobs == 0
    assert empty.batch.state == pb.BATCH_STATE_PROCESSING
    assert not empty.batch.sealed
    await scene.add(batch_id, ["succeed"] * 17)
    await scene.app.work()
    await scene.reported(batch_id, succeeded=17)
    full = await scene.look(batch_id, "an empty batch to which a loader added 17 jobs")
    assert full.answer == "17 / 0 / 0 / 0, finished"
    assert full.batch.state == pb.BATCH_STATE_COMPLETED
    assert (full.batch.total_jobs, full.batch.reconciled_jobs) == (17, 0)
