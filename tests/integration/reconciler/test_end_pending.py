"""How a person ends a batch that its queue cannot end: --batch-id ID --end-pending-as OUTCOME."""

import grpc
import pytest

from batches.batch import BatchState, Tally
from batches.result import JobOutcome
from reconciler.decision.not_repaired import NotRepairedReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.integration.reconciler.test_process import ON_SQLITE
from tests.support.queue_fake import FakeBatch, FakeJob, failing

FAILED = JobOutcome.FAILED


async def only_reason(scene: Scene, batch_id: str = "batch") -> str:
    """Return the reason of the only repair of a batch."""
    (repair,) = (await scene.store.list_repairs(batch_id, before_key=None, size=10)).items
    return repair.reason


async def test_recorded_results_stay_and_the_others_are_counted(scene: Scene) -> None:
    """The repair says that a person did it, and why the reconciler had left the batch."""
    in_queue = FakeBatch(jobs(10, pending=3), lists_jobs=False, cancelled=True)
    await scene.batch("batch", in_queue, jobs(10, failed=1)[:7])
    report = await scene.run(batch_id="batch", end_pending_as=FAILED)
    batch = await scene.store.get_batch("batch")
    assert (batch.state, batch.tally, batch.unattributed) == (
        BatchState.CANCELLED,
        Tally(6, 4),
        Tally(failed=3),
    )
    assert (report.summary.cancelled, report.summary.results_counted, report.summary.is_clean) == (1, 3, True)
    assert await only_reason(scene) == (
        "ended by a person; 3 jobs without a result count as failed;"
        " cancelled in the queue, but 3 jobs are still pending there"
    )
    assert await scene.differences() == []


async def test_what_the_queue_knows_is_recorded_first(scene: Scene) -> None:
    """Only jobs that the queue does not call ended get the outcome of the person."""
    await scene.batch("batch", FakeBatch(jobs(10, pending=2)), jobs(10)[8:])
    report = await scene.run(batch_id="batch", end_pending_as=FAILED)
    batch = await scene.store.get_batch("batch")
    assert (batch.state, batch.tally, batch.unattributed) == (
        BatchState.COMPLETED,
        Tally(8, 2),
        Tally(failed=2),
    )
    assert (report.summary.results_recorded, report.summary.results_counted) == (6, 2)
    repairs = (await scene.store.list_repairs("batch", before_key=None, size=10)).items
    assert repairs[0].reason == (
        "ended by a person; 2 jobs without a result count as failed; 2 jobs are still pending in the queue"
    )


CODES = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INTERNAL)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
async def test_a_batch_of_which_the_queue_cannot_tell_the_truth_is_ended(
    scene: Scene, code: grpc.StatusCode
) -> None:
    """Its data contradicts itself, the batch was pruned, or its service fails on it."""
    await scene.batch("batch", FakeBatch(jobs(4)), jobs(4)[:3])
    scene.queue.failure = failing(code)
    await scene.run(batch_id="batch", end_pending_as=JobOutcome.SUCCEEDED)
    batch = await scene.store.get_batch("batch")
    assert (batch.state, batch.tally, batch.reconciled_jobs) == (BatchState.COMPLETED, Tally(4), 1)


async def test_nothing_is_ended_while_the_queue_does_not_answer(scene: Scene) -> None:
    """It may know more results."""
    await scene.batch("batch", FakeBatch(jobs(4)), jobs(4)[:3])
    scene.queue.failure = failing(grpc.StatusCode.UNAVAILABLE)
    before = await scene.tables()
    report = await scene.run(batch_id="batch", end_pending_as=FAILED)
    assert report.summary.left == {NotRepairedReason.QUEUE_UNAVAILABLE: 1}
    assert await scene.tables() == before


@pytest.mark.parametrize("end", ["complete", "cancel"])
async def test_a_batch_that_has_ended_stays_as_it_is(scene: Scene, end: str) -> None:
    """A cancelled batch may have pending jobs for good."""
    await scene.batch("batch", FakeBatch(jobs(4)), jobs(4) if end == "complete" else jobs(4)[:3])
    if end == "cancel":
        await scene.store.cancel_batch("batch")
    before = await scene.tables()
    report = await scene.run(batch_id="batch", end_pending_as=FAILED)
    assert report.summary.left == {NotRepairedReason.ENDED: 1}
    assert await scene.tables() == before


async def test_a_late_report_replaces_what_a_person_counted(scene: Scene) -> None:
    """The sum stays."""
    await scene.batch("batch", FakeBatch(jobs(4, pending=1), lists_jobs=False), jobs(4)[1:])
    await scene.run(batch_id="batch", end_pending_as=FAILED)
    await scene.report("batch", [FakeJob("job-00000")])
    batch = await scene.store.get_batch("batch")
    assert (batch.state, batch.tally, batch.unattributed) == (BatchState.COMPLETED, Tally(4), Tally())
    assert await scene.differences() == []


async def test_a_dry_run_ends_nothing_and_says_what_would_be_done(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=2)), jobs(10)[8:])
    before = await scene.tables()
    dry = await scene.run(batch_id="batch", end_pending_as=FAILED, dry_run=True)
    assert await scene.tables() == before
    real = await scene.run(batch_id="batch", end_pending_as=FAILED)
    for report in (dry, real):
        assert report.log.repaired[0].after.tally == Tally(8, 2)
        assert report.summary.completed == 1


@ON_SQLITE
async def test_the_command_ends_one_batch_and_says_so(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(3, pending=2), lists_jobs=False), jobs(3)[2:])
    finished = await scene.run_process("--batch-id", "batch", "--end-pending-as", "skipped")
    assert (finished.code, finished.summary["completed"], finished.summary["results_counted"]) == (0, 1, 2)
    (line,) = [line for line in finished.lines if line.startswith("batch ") and "COMPLETED" in line]
    assert "ended by a person; 2 jobs without a result count as skipped" in line
