"""The repairs that one pass makes."""

import pytest

from batches.batch import BatchState, Tally
from batches.listing import ResultFilter
from batches.result import JobOutcome, ResultSource
from reconciler.decision.not_repaired import NotRepairedReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, FakeJob

THE_STORY = jobs(1_037, failed=7)
"""The batch that got stuck at 99 %."""


async def test_results_that_were_never_reported_come_from_the_queues_list(scene: Scene) -> None:
    """One pass completes the batch."""
    await scene.batch("sync", FakeBatch(THE_STORY), THE_STORY[:-11])
    summary = (await scene.run()).summary
    batch = await scene.store.get_batch("sync")
    assert (batch.state, batch.tally, batch.reconciled_jobs) == (BatchState.COMPLETED, Tally(1_030, 7), 11)
    assert (summary.completed, summary.results_recorded, summary.is_clean) == (1, 11, True)
    assert await scene.differences() == []


async def test_a_repair_is_kept_with_its_reason(scene: Scene) -> None:
    """The tallies before and after are kept too."""
    await scene.batch("sync", FakeBatch(THE_STORY), THE_STORY[:-11])
    await scene.run()
    (repair,) = (await scene.store.list_repairs("sync", before_key=None, size=10)).items
    assert (repair.before.state, repair.before.pending_jobs) == (BatchState.PROCESSING, 11)
    assert (repair.after.state, repair.after.pending_jobs) == (BatchState.COMPLETED, 0)
    assert repair.reason == "11 of 1,037 results were missing; taken from the queue's list"


async def test_a_failure_from_the_queue_keeps_its_error_and_its_name(scene: Scene) -> None:
    """They are cut to the length that a report may have."""
    job = FakeJob("job-00000", JobOutcome.FAILED, 3, "E" * 300, "ü" * 3_000, display_name="n" * 300)
    await scene.batch("sync", FakeBatch([job]))
    await scene.run()
    page = await scene.store.list_results("sync", ResultFilter(), after_job_id=None, size=10)
    (one,) = page.items
    assert (one.attempt, one.error_type, one.error_message) == (3, "E" * 200, "ü" * 2_000)
    assert one.display_name == "n" * 200
    assert one.source is ResultSource.RECONCILER


async def test_the_queue_is_not_asked_about_batches_that_are_not_stuck(scene: Scene) -> None:
    """A checked batch that still runs keeps its revision."""
    running = jobs(10, pending=2)
    await scene.batch("healthy", FakeBatch(running, finished=False), running)
    await scene.batch("fresh", FakeBatch(jobs(5)), jobs(5)[:3])
    before = await scene.tables()
    await scene.run(stuck_after=3_600)
    assert scene.queue.calls == []
    del scene.queue.batches["fresh"]
    report = await scene.run(all_batches=True, stuck_after=3_600)
    assert report.summary.left == {"still_pending": 1, "unknown_to_queue": 1}
    assert await scene.tables() == before


async def test_all_checks_recent_batches_too(scene: Scene) -> None:
    """Batches are checked even if they are not stuck."""
    await scene.batch("fresh", FakeBatch(jobs(5)), jobs(5)[:3])
    report = await scene.run(all_batches=True, stuck_after=3_600)
    assert report.summary.completed == 1


async def test_a_batch_id_checks_that_batch_only(scene: Scene) -> None:
    """The batch is checked even if it is not stuck."""
    await scene.batch("this", FakeBatch(jobs(5)))
    await scene.batch("other", FakeBatch(jobs(5)))
    report = await scene.run(batch_id="this", stuck_after=3_600)
    assert (report.summary.looked_at, report.summary.completed) == (1, 1)
    assert (await scene.store.get_batch("other")).revision == 1


async def test_a_dry_run_and_a_second_pass_change_nothing(scene: Scene) -> None:
    """All tables keep all their rows."""
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
    assert real.summary.repaired == dry.summary.repaired == 4
    assert (await scene.run()).summary.repaired == 0
    assert await scene.tables() == repaired


async def test_a_dry_run_reports_what_the_next_pass_does(scene: Scene) -> None:
    """Numbers, tallies and reasons are the same."""
    await scene.batch("listed", FakeBatch(THE_STORY), THE_STORY[:-11])
    await scene.batch("cancelled", FakeBatch(jobs(9, skipped=4), cancelled=True), jobs(9)[4:])
    dry, real = await scene.run(dry_run=True), await scene.run()
    reported = [
        {
            one.before.batch_id: (one.after.state, one.after.tally, one.repairs, one.recorded)
            for one in report.log.repaired
        }
        for report in (dry, real)
    ]
    assert reported[0] == reported[1]


async def test_an_unsealed_batch_ends_only_once_its_queue_is_finished(scene: Scene) -> None:
    """Until then, the results that the queue lists are recorded."""
    in_queue = FakeBatch(jobs(6), finished=False)
    await scene.batch("growing", in_queue, jobs(4), sealed=False, total_jobs=4)
    await scene.run()
    growing = await scene.store.get_batch("growing")
    assert (growing.state, growing.tally.ended, growing.sealed) == (BatchState.PROCESSING, 6, False)
    in_queue.finished = True
    await scene.run()
    ended = await scene.store.get_batch("growing")
    assert (ended.state, ended.total_jobs, ended.sealed) == (BatchState.COMPLETED, 6, True)


async def test_a_later_attempt_of_the_queue_replaces_the_recorded_one(scene: Scene) -> None:
    """The tallies change accordingly."""
    failed = [FakeJob("job-00000", JobOutcome.FAILED)]
    await scene.batch("retried", FakeBatch([FakeJob("job-00000", attempt=2), *jobs(3)[1:]]), failed)
    await scene.run()
    batch = await scene.store.get_batch("retried")
    assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(3))
    assert await scene.differences() == []


async def test_a_reported_outcome_stays(scene: Scene) -> None:
    """The queue's different outcome of the same attempt is ignored."""
    await scene.batch("mixed", FakeBatch(jobs(3)), [FakeJob("job-00000", JobOutcome.FAILED)])
    await scene.run()
    batch = await scene.store.get_batch("mixed")
    assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(2, 1))


@pytest.mark.parametrize("total", [8, 12])
async def test_the_queues_total_wins_over_the_announced_one(scene: Scene, total: int) -> None:
    """This holds once all jobs of the queue have ended."""
    await scene.batch("miscounted", FakeBatch(jobs(total)), jobs(7), total_jobs=10)
    await scene.run()
    batch = await scene.store.get_batch("miscounted")
    assert (batch.state, batch.total_jobs, batch.tally.ended) == (BatchState.COMPLETED, total, total)


async def test_a_queue_that_keeps_only_counts_completes_a_batch(scene: Scene) -> None:
    """The results taken from it have no rows."""
    await scene.batch("counted", FakeBatch(THE_STORY, lists_jobs=False), THE_STORY[:-11])
    report = await scene.run()
    batch = await scene.store.get_batch("counted")
    assert (batch.state, batch.tally, batch.unattributed) == (
        BatchState.COMPLETED,
        Tally(1_030, 7),
        Tally(11),
    )
    assert (report.summary.results_recorded, report.summary.results_counted) == (0, 11)
    assert await scene.differences() == []


async def test_a_late_report_of_a_counted_job_changes_no_tally(scene: Scene) -> None:
    """It turns the count into a row."""
    await scene.batch("counted", FakeBatch(jobs(10, failed=2), lists_jobs=False), jobs(10, failed=1)[:8])
    await scene.run()
    for late in (FakeJob("job-00008", JobOutcome.FAILED), FakeJob("job-00009"), FakeJob("one-too-many")):
        await scene.report("counted", [late])
        batch = await scene.store.get_batch("counted")
        assert (batch.tally, batch.state) == (Tally(8, 2), BatchState.COMPLETED)
        assert await scene.differences() == []
    assert batch.unattributed == Tally()


async def test_the_counts_of_a_queue_that_refuses_to_list_are_used(scene: Scene) -> None:
    """They are used even if its counts claimed that it lists its jobs."""
    await scene.batch("counted", FakeBatch(jobs(10), refuses_listing=True), jobs(8))
    await scene.run()
    batch = await scene.store.get_batch("counted")
    assert (batch.state, batch.unattributed) == (BatchState.COMPLETED, Tally(2))


async def test_a_cancelled_batch_is_left_alone_while_its_jobs_run(scene: Scene) -> None:
    """The queue's `finished` does not matter."""
    running = FakeBatch(jobs(10, skipped=3, pending=2), cancelled=True, finished=True, lists_jobs=False)
    await scene.batch("cancelled", running, jobs(10)[6:])
    before = await scene.tables()
    report = await scene.run()
    assert report.summary.left == {NotRepairedReason.STILL_PENDING: 1}
    assert await scene.tables() == before


async def test_a_batch_cancelled_in_the_queue_is_cancelled_once_no_job_runs(scene: Scene) -> None:
    """Jobs that never ran are skipped."""
    await scene.batch("cancelled", FakeBatch(jobs(10, skipped=3)[:8], cancelled=True), total_jobs=10)
    report = await scene.run()
    batch = await scene.store.get_batch("cancelled")
    assert (batch.state, batch.tally, batch.total_jobs) == (BatchState.CANCELLED, Tally(5, 0, 5), 10)
    assert (batch.unattributed, report.summary.cancelled) == (Tally(skipped=2), 1)
    assert await scene.differences() == []


async def test_more_results_than_a_transaction_takes_are_recorded_in_portions(scene: Scene) -> None:
    """One pass records all portions; a dry run computes the same result."""
    many = jobs(25_003, failed=5)
    await scene.batch("large", FakeBatch(many), many[:2])
    dry, real = await scene.run(dry_run=True), await scene.run()
    batch = await scene.store.get_batch("large")
    assert (batch.state, batch.tally) == (BatchState.COMPLETED, Tally(24_998, 5))
    assert dry.log.repaired[0].after.tally == batch.tally
    assert dry.summary.results_recorded == real.summary.results_recorded == 25_001
    assert len(real.log.repaired[0].repairs) == 3
    assert await scene.differences() == []


async def test_a_portion_does_not_complete_a_batch_announced_with_fewer_jobs(scene: Scene) -> None:
    """The queue's total is set first."""
    many = jobs(12_000)
    await scene.batch("large", FakeBatch(many), total_jobs=6_000)
    await scene.run()
    batch = await scene.store.get_batch("large")
    assert (batch.state, batch.tally.ended, batch.total_jobs) == (BatchState.COMPLETED, 12_000, 12_000)


async def test_a_pass_checks_more_batches_than_a_page_holds(scene: Scene) -> None:
    """Each batch is checked once."""
    for number in range(210):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(1), lists_jobs=False))
    report = await scene.run()
    assert (report.summary.looked_at, report.summary.completed) == (210, 210)
    assert len(scene.queue.calls) == 210
