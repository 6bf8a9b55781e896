"""What a pass tells people about batches that stay as they are."""

from datetime import timedelta

import grpc

from reconciler.output.json_lines import values_of
from reconciler.output.wording import sentence
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.older import make_older
from tests.support.queue_fake import FakeBatch, failing


async def told(scene: Scene) -> tuple[str, bool]:
    """Run a pass; return why it left the batch, and whether a person is needed."""
    report = await scene.run()
    ((result,),) = report.log.not_repaired.values()
    assert result.not_repaired is not None
    line = values_of(result)
    assert line["left_reason"] == sentence(result.not_repaired.told)
    return line["left_reason"], line["needs_person"]


async def test_jobs_that_stay_pending_need_a_person_after_an_hour(scene: Scene) -> None:
    """As after `queue:clear`, which leaves the jobs in Laravel's counts."""
    in_queue = FakeBatch(jobs(1_037, pending=699), lists_jobs=False, cancelled=True)
    await scene.batch("batch", in_queue, jobs(1_037, pending=699))
    pending = "cancelled in the queue, but 699 jobs are still pending there"
    assert await told(scene) == (pending, False)
    await make_older(scene.database, timedelta(hours=3))
    way_out = (
        "a queue that keeps only counts does not tell which jobs were removed;"
        " if nothing more will come, end the batch with --end-pending-as"
    )
    assert await told(scene) == (f"{pending}; no change for 3 h; {way_out}", True)


async def test_jobs_that_move_without_reports_need_no_person(scene: Scene) -> None:
    """The look before knows that they moved."""
    in_queue = FakeBatch(jobs(10, pending=7), lists_jobs=False)
    await scene.batch("batch", in_queue)
    await told(scene)
    await make_older(scene.database, timedelta(hours=3))
    in_queue.jobs = jobs(10, pending=6)
    assert await told(scene) == ("6 jobs are still pending in the queue", False)


async def test_a_contradiction_names_the_way_out(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(3)))
    scene.queue.failure = failing(grpc.StatusCode.FAILED_PRECONDITION)
    reason = (
        "the job-status service found contradictory data in the queue;"
        " if nothing more will come, end the batch with --end-pending-as"
    )
    assert await told(scene) == (reason, True)


async def test_the_threshold_is_a_setting(scene: Scene) -> None:
    scene.settings = {"unchanged_after": 5 * 3_600}
    await scene.batch("batch", None)
    await make_older(scene.database, timedelta(hours=3))
    assert await told(scene) == ("the queue does not know the batch", False)
    scene.settings = {"unchanged_after": 3 * 3_600}
    assert (await told(scene))[1]
