"""Jobs that a real Laravel application runs twice, because they take longer than retry_after."""

import pytest

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.application import Jobs
from tests.laravel.scene import Scene, tallies

pytestmark = pytest.mark.xdist_group("laravel")


async def test_slow_then_that_counts_a_success_twice_is_a_contradiction(scene: Scene) -> None:
    batch_id = await run_twice(scene, ["succeed"] * 10, "--slow-then")
    await scene.reported(batch_id, succeeded=10)
    look = await scene.look(batch_id, "a `then()` that is slower than `retry_after`")
    assert look.answer.startswith("QUEUE_CONTRADICTION")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED  # by its reports


async def test_job_that_is_slower_than_retry_after_is_a_contradiction(scene: Scene) -> None:
    batch_id = await run_twice(scene, [*["succeed"] * 9, "sleep"])
    await scene.reported(batch_id, succeeded=10)
    look = await scene.look(batch_id, "a job that is slower than `retry_after`")
    assert look.answer.startswith("QUEUE_CONTRADICTION")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED  # by its reports


async def test_contradiction_without_reports_is_ended_by_a_person(scene: Scene) -> None:
    with scene.gateway():
        batch_id = await run_twice(scene, [*["succeed"] * 9, "sleep"])
    await scene.progress.create(batch_id, 10)
    stuck = await scene.look(batch_id, "the same, and nothing was reported")
    assert stuck.answer.startswith("QUEUE_CONTRADICTION")
    assert stuck.batch.state == pb.BATCH_STATE_PROCESSING
    assert "--end-pending-as" in stuck.did
    ended = await scene.look(
        batch_id, "this batch, with `--end-pending-as succeeded`", end_pending_as=JobOutcome.SUCCEEDED
    )
    assert ended.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(ended.batch) == (10, 0, 0)


async def run_twice(scene: Scene, jobs: Jobs, *options: str) -> str:
    """Run a batch by two workers, of which one takes a job again while the other still runs it."""
    scene.app.environment["QUEUE_RETRY_AFTER"] = "1"
    batch_id = await scene.dispatch(jobs, *options)
    async with scene.app.worker("--tries=9"), scene.app.worker("--tries=9"):
        await scene.counted_twice(batch_id)
    return batch_id
