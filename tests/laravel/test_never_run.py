"""Batches of real Laravel applications with jobs that never run: a person ends them."""

import pytest

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.scene import Scene, tallies

pytestmark = pytest.mark.xdist_group("laravel")


async def test_jobs_that_were_cleared_are_ended_by_a_person(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 20)
    await scene.app.work("--max-jobs=6")
    await scene.app.artisan("app:cancel", batch_id)
    await scene.app.artisan("queue:clear", "--force")
    await scene.app.work()
    await scene.reported(batch_id, succeeded=6)
    await scene.look(batch_id, "cancelled after 6 of 20 jobs, then `queue:clear`")
    await scene.hours_pass(3)
    stuck = await scene.look(batch_id, "`queue:clear` 3 h ago")
    assert stuck.row.pending_jobs == 14
    assert stuck.batch.state == pb.BATCH_STATE_PROCESSING
    assert "--end-pending-as" in stuck.did
    ended = await scene.look(
        batch_id, "`queue:clear`, with `--end-pending-as skipped`", end_pending_as=JobOutcome.SKIPPED
    )
    assert ended.batch.state == pb.BATCH_STATE_CANCELLED
    assert tallies(ended.batch) == (6, 0, 14)


async def test_rest_of_a_chain_whose_first_job_failed_is_ended_by_a_person(scene: Scene) -> None:
    chain = ["fail", "succeed", "succeed"]
    batch_id = await scene.dispatch([*["succeed"] * 10, chain, chain])
    await scene.app.work()
    await scene.reported(batch_id, succeeded=10, failed=2)
    await scene.look(batch_id, "10 jobs, and 2 chains of 3 whose first job failed")
    await scene.hours_pass(3)
    stuck = await scene.look(batch_id, "these chains 3 h ago")
    assert (stuck.row.pending_jobs, len(stuck.row.failed_job_ids)) == (6, 2)
    assert stuck.batch.state == pb.BATCH_STATE_PROCESSING
    assert "--end-pending-as" in stuck.did
    ended = await scene.look(
        batch_id, "these chains, with `--end-pending-as skipped`", end_pending_as=JobOutcome.SKIPPED
    )
    assert ended.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(ended.batch) == (10, 2, 4)
