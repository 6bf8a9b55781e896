"""What one pass makes of a batch."""

import pytest

from batches.batch import BatchState, Tally
from batches.result import JobOutcome, ResultSource
from reconciler.decision.not_repaired import LeaveKind
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, FakeJob

THE_STORY = jobs(1_037, failed=7)
"""The sync that stuck at 99 %."""


async def test_eleven_of_1037_were_never_reported(scene: Scene) -> None:
    """Results that workers never reported come from the queue's list, and one pass completes the batch."""
    await scene.batch("sync", FakeBatch(THE_STORY), THE_STORY[:-11])
    report = await scene.run()
    batch = await scene.store.get_batch("sync")
    assert (batch.state, batch.tally, batch.reconciled_jobs) == (BatchState.COMPLETED, Tally(1_030, 7), 11)
    assert (report.result.completed, report.result.results_recorded, report.result.is_clean) == (1, 11, True)
    assert await scene.differences() == []


async def test_the_repair_is_kept(scene: Scene) -> None:
    """Each repair is kept with its tallies before and after and one sentence that says why."""
    await scene.batch("sync", FakeBatch(THE_STORY), THE_STORY[:-11])
    await scene.run()
    (repair,) = (await scene.store.list_repairs("sync", before_key=None, size=10)).items
    assert (repair.before.state, repair.before.pending_jobs) == (BatchState.PROCESSING, 11)
    assert (repair.after.state, repair.after.pending_jobs) == (BatchState.COMPLETED, 0)
    assert repair.reason == "11 of 1,037 results were never reported; taken from the queue's list"


async def test_errors_come_along(scene: Scene) -> None:
    """A failure taken from the queue keeps its error, cut to what a report may have."""
    job = FakeJob("job-00000", JobOutcome.FAILED, 3, "E" * 300, "ü" * 3_000)
    await scene.batch("sync", FakeBatch([job]))
    await scene.run()
    page = await scene.store.list_results("sync", outcome=None, after_job_id=None, size=10)
    (one,) = page.items
    assert (one.attempt, one.error_type, one.error_message) == (3, "E" * 200, "ü" * 2_000)
    assert one.source is ResultSource.RECONCILER


async def test_healthy_and_fresh_batches(scene: Scene) -> None:
    """A batch that is not stuck is not asked about; one that still runs keeps its revision."""
    running = jobs(10, pending=2)
    await scene.batch("healthy", FakeBatch(running, finished=False), running)
    await scene.batch("fresh", FakeBatch(jobs(5)), jobs(5)[:3])
    before = await scene.tables()
    await scene.run(stuck_after=3_600)
    assert scene.queue.calls == []
    del scene.queue.batches["fresh"]
    report = await scene.run(every=True, stuck_after=3_600)
    assert report.result.left == {"still_pending": 1, "unknown_to_queue": 1}
    assert await scene.tables() == before


async def test_all_looks_at_fresh_batches_too(scene: Scene) -> None:
    """With --all a batch is looked at however fresh it is."""
    await scene.batch("fresh", FakeBatch(jobs(5)), jobs(5)[:3])
    report = await scene.run(every=True, stuck_after=3_600)
    assert report.result.completed == 1


async def test_one_batch(scene: Scene) -> None:
    """With --batch-id that batch alone is looked at, however fresh it is."""
    await scene.batch("this", FakeBatch(jobs(5)))
    await scene.batch("other", FakeBatch(jobs(5)))
    report = await scene.run(batch_id="this", stuck_after=3_600)
    assert (report.result.looked_at, report.result.completed) == (1, 1)
    assert (await scene.store.get_batch("other")).revision == 1


async def test_a_second_pass_and_a_dry_run_change_nothing(scene: Scene) -> None:
    """A dry run changes no row before, and a second pass none after, the pass that repairs."""
    await scene.batch("listed", FakeBatch(THE_STORY), THE_STORY[:-11])
    await scene.batch("counted", FakeBatch(jobs(20, failed=2), lists_jobs=False), jobs(20, failed=1)[:15])
    await scene.batch("cancelled", FakeBatch(jobs(9, skipped=4), cancelled=True), jobs(9)[4:])
    await scene.batch("unfinished", FakeBatch(jobs(9, pending=4), finished=False), jobs(9)[6:])
    await scene.batch("unknown", None)
    broken = await scene.tables()
    dry = await scene.run(dry_run=True)
    assert await scene.tables() == broken
    real = await scene.run()
    repaired = await scene.tables()
    assert real.result.repaired == dry.result.repaired == 4
    assert (await scene.run()).result.repaired == 0
    assert await scene.tables() == repaired


async def test_a_dry_run_tells_what_a_pass_does(scene: Scene) -> None:
    """A dry run reports the numbers, the tallies and the reasons of the pass that follows."""
    await scene.batch("listed", FakeBatch(THE_STORY), THE_STORY[:-11])
    await scene.batch("cancelled", FakeBatch(jobs(9, skipped=4), cancelled=True), jobs(9)[4:])
    dry, real = await scene.run(dry_run=True), await scene.run()
    told = [
        [(one.after.state, one.after.tally, one.reasons, one.recorded) for one in report.record.repaired]
        for report in (dry, real)
    ]
    assert sorted(told[0]) == sorted(told[1])


async def test_unsealed(scene: Scene) -> None:
    """An unsealed batch gets what the queue lists, and ends only once the queue is finished with it."""
    in_queue = FakeBatch(jobs(6), finished=False)
    await scene.batch("growing", in_queue, jobs(4), sealed=False, total_jobs=4)
    await scene.run()
    growing = await scene.store.get_batch("growing")
    assert (growing.state, growing.tally.ended, growing.sealed) == (BatchState.PROCESSING, 6, False)
    in_queue.finished = True
    await scene.run()
    ended = await scene.store.get_batch("growing")
    assert (ended.state, ended.total_jobs, ended.sealed) == (BatchState.COMPLETED, 6, True)


async def test_later_attempts(scene: Scene) -> None:
    """An attempt that the queue knows and that is higher than the recorded one takes its place."""
    failed = [FakeJob("job-00000", JobOutcome.FAILED)]
    await scene.batch("retried", FakeBatch([FakeJob("job-00000", attempt=2), *jobs(3)[1:]]), failed)
    await scene.run()
    batch = await scene.store.get_batch("retried")
    assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(3))
    assert await scene.differences() == []


async def test_reports_win(scene: Scene) -> None:
    """An outcome that a worker reported stays, whatever the queue lists for the same attempt."""
    await scene.batch("mixed", FakeBatch(jobs(3)), [FakeJob("job-00000", JobOutcome.FAILED)])
    await scene.run()
    batch = await scene.store.get_batch("mixed")
    assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(2, 1))


@pytest.mark.parametrize("total", [8, 12])
async def test_the_queue_knows_how_many_jobs_there_are(scene: Scene, total: int) -> None:
    """The queue's number of jobs wins over the announced one once all of them ended."""
    await scene.batch("miscounted", FakeBatch(jobs(total)), jobs(7), total_jobs=10)
    await scene.run()
    batch = await scene.store.get_batch("miscounted")
    assert (batch.state, batch.total_jobs, batch.tally.ended) == (BatchState.COMPLETED, total, total)


async def test_counts_only(scene: Scene) -> None:
    """A queue that keeps only counts completes the batch with results that have no rows."""
    await scene.batch("counted", FakeBatch(THE_STORY, lists_jobs=False), THE_STORY[:-11])
    report = await scene.run()
    batch = await scene.store.get_batch("counted")
    assert (batch.state, batch.tally, batch.unattributed) == (
        BatchState.COMPLETED,
        Tally(1_030, 7),
        Tally(11),
    )
    assert (report.result.results_recorded, report.result.results_counted) == (0, 11)
    assert await scene.differences() == []


async def test_a_late_report_moves_no_sum(scene: Scene) -> None:
    """A report that comes after its job was counted turns the count into a row; the sum stays."""
    await scene.batch("counted", FakeBatch(jobs(10, failed=2), lists_jobs=False), jobs(10, failed=1)[:8])
    await scene.run()
    for late in (FakeJob("job-00008", JobOutcome.FAILED), FakeJob("job-00009"), FakeJob("one-too-many")):
        await scene.report("counted", [late])
        batch = await scene.store.get_batch("counted")
        assert (batch.tally, batch.state) == (Tally(8, 2), BatchState.COMPLETED)
        assert await scene.differences() == []
    assert batch.unattributed == Tally()


async def test_says_that_it_lists_and_does_not(scene: Scene) -> None:
    """A queue that does not list its jobs after all is taken at its counts."""
    await scene.batch("counted", FakeBatch(jobs(10), refuses_listing=True), jobs(8))
    await scene.run()
    batch = await scene.store.get_batch("counted")
    assert (batch.state, batch.unattributed) == (BatchState.COMPLETED, Tally(2))


async def test_cancelled_with_running_jobs(scene: Scene) -> None:
    """A batch cancelled in the queue, which calls it finished, is left alone while its jobs run."""
    running = FakeBatch(jobs(10, skipped=3, pending=2), cancelled=True, finished=True, lists_jobs=False)
    await scene.batch("cancelled", running, jobs(10)[6:])
    before = await scene.tables()
    report = await scene.run()
    assert report.result.left == {LeaveKind.STILL_PENDING: 1}
    assert await scene.tables() == before


async def test_cancelled(scene: Scene) -> None:
    """A batch cancelled in the queue is CANCELLED once no job runs; what never ran is skipped."""
    await scene.batch("cancelled", FakeBatch(jobs(10, skipped=3)[:8], cancelled=True), total_jobs=10)
    report = await scene.run()
    batch = await scene.store.get_batch("cancelled")
    assert (batch.state, batch.tally, batch.total_jobs) == (BatchState.CANCELLED, Tally(5, 0, 5), 10)
    assert (batch.unattributed, report.result.cancelled) == (Tally(skipped=2), 1)
    assert await scene.differences() == []


async def test_more_than_one_transaction_takes(scene: Scene) -> None:
    """More than 10,000 missing results are recorded in portions, all in one pass, and dry as well."""
    many = jobs(25_003, failed=5)
    await scene.batch("large", FakeBatch(many), many[:2])
    dry, real = await scene.run(dry_run=True), await scene.run()
    batch = await scene.store.get_batch("large")
    assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(24_998, 5))
    assert dry.record.repaired[0].after.tally == batch.tally
    assert dry.result.results_recorded == real.result.results_recorded == 25_001
    assert len(real.record.repaired[0].reasons) == 3
    assert await scene.differences() == []


async def test_portions_when_more_jobs_than_announced(scene: Scene) -> None:
    """A portion never completes a batch that was announced with fewer jobs than the queue has."""
    many = jobs(12_000)
    await scene.batch("large", FakeBatch(many), total_jobs=6_000)
    await scene.run()
    batch = await scene.store.get_batch("large")
    assert (batch.state, batch.tally.ended, batch.total_jobs) == (BatchState.COMPLETED, 12_000, 12_000)


async def test_more_batches_than_a_page_holds(scene: Scene) -> None:
    """A pass walks more batches than one page holds, each once."""
    for number in range(210):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(1), lists_jobs=False))
    report = await scene.run()
    assert (report.result.looked_at, report.result.completed) == (210, 210)
    assert len(scene.queue.calls) == 210
