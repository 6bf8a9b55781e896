"""What a queue's service cannot read is told in the reason, and nothing else of it is."""

from batches.batch import BatchState
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.output.wording import sentence
from reconciler.run.result import RunReport
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, FakeJob


async def test_contradiction_is_told_with_its_problem(scene: Scene) -> None:
    """The service's own text may hold secrets, and is not told."""
    await scene.batch("batch", FakeBatch(jobs(3), contradiction="its pending count is negative\n"))
    assert _why(await scene.run()) == (
        NotRepairedReason.CONTRADICTION,
        "the job-status service found contradictory data in the queue: its pending count is negative ",
    )


async def test_unreadable_job_is_told_and_the_others_are_recorded(scene: Scene) -> None:
    """The batch stays open, since the outcome of the unreadable job is unknown."""
    unreadable = FakeJob("unreadable", None, problem="its result is not JSON")
    await scene.batch("batch", FakeBatch([*jobs(3), unreadable]))
    await scene.run()
    batch = await scene.store.get_batch("batch")
    assert (batch.state, batch.tally.ended) == (BatchState.PROCESSING, 3)
    assert _why(await scene.run()) == (
        NotRepairedReason.STILL_PENDING,
        "1 job is still pending in the queue; 1 job cannot be read: its result is not JSON",
    )


def _why(report: RunReport) -> tuple[NotRepairedReason, str]:
    ((reason, (result,)),) = report.log.not_repaired.items()
    assert result.not_repaired is not None
    return reason, sentence(result.not_repaired.details)
