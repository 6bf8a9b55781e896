"""Batches of real Laravel applications: what each row of job_batches means."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.scene import Scene

pytestmark = pytest.mark.xdist_group("laravel")


async def test_every_job_is_reported_once(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 18 + ["fail"] * 2)
    await scene.app.work(workers=2)
    await scene.reported(batch_id, succeeded=18, failed=2)
    look = await scene.look(batch_id, "2 of 20 jobs failed")
    assert (look.row.pending_jobs, look.row.failed_jobs, len(look.row.failed_job_ids)) == (2, 2, 2)
    assert look.answer == "18 / 2 / 0 / 0, finished"
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert await scene.attempts(batch_id) == [1] * 20
    errors = {
        (result.display_name, result.error_type, result.error_message)
        for result in await scene.results(batch_id)
    }
    assert errors == {
        ("App\\Jobs\\Work", "", ""),
        ("App\\Jobs\\Work", "RuntimeException", "the file is broken"),
    }
