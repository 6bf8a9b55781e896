"""Failed jobs that a person retries after the end of their batch, as `queue:retry-batch` does."""

import grpc

from batches.batch import BatchState, Tally
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, failing

FAILED = 21


async def ended_with_counted_failures(scene: Scene) -> FakeBatch:
    """End a batch of 1,037 jobs whose 21 failures nobody reported; return its queue."""
    in_queue = FakeBatch(jobs(1_037, failed=FAILED), lists_jobs=False)
    await scene.batch("sync", in_queue, in_queue.jobs[FAILED:-5])
    await scene.run()
    batch = await scene.store.get_batch("sync")
    assert (batch.tally, batch.unattributed) == (Tally(1_016, FAILED), Tally(5, FAILED))
    return in_queue


async def test_retried_failures_follow_the_queue(scene: Scene) -> None:
    """1,016 and 21 stayed for good, although all 1,037 had succeeded."""
    in_queue = await ended_with_counted_failures(scene)
    ended = await scene.store.get_batch("sync")
    in_queue.jobs = jobs(1_037)
    dry, real = await scene.run(dry_run=True), await scene.run()
    batch = await scene.store.get_batch("sync")
    assert (batch.tally, batch.state, batch.complete_time) == (
        Tally(1_037),
        BatchState.COMPLETED,
        ended.complete_time,
    )
    for report in (dry, real):
        numbers = report.summary
        assert (numbers.repaired, numbers.completed, numbers.results_counted) == (1, 0, FAILED)
    assert await scene.differences() == []
    repairs = (await scene.store.list_repairs("sync", before_key=None, size=10)).items
    assert repairs[0].reason.startswith("the queue now counts 1,037 succeeded, 0 failed and 0 skipped jobs")


async def test_a_reported_retry_and_the_queue_agree(scene: Scene) -> None:
    """The reports replace the counted successes first; the next pass corrects the rest."""
    in_queue = await ended_with_counted_failures(scene)
    in_queue.jobs = jobs(1_037)
    await scene.report("sync", in_queue.jobs[:FAILED])
    assert (await scene.store.get_batch("sync")).tally == Tally(1_032, 5)
    await scene.run()
    batch = await scene.store.get_batch("sync")
    assert (batch.tally, batch.unattributed) == (Tally(1_037), Tally(5))
    assert await scene.differences() == []


async def test_a_pass_says_nothing_about_ended_batches_that_stay_as_they_are(scene: Scene) -> None:
    """Their queue may have pruned them."""
    await ended_with_counted_failures(scene)
    before = await scene.tables()
    assert (await scene.run()).summary.looked_at == 0
    scene.queue.failure = failing(grpc.StatusCode.NOT_FOUND)
    report = await scene.run()
    assert (report.summary.looked_at, report.summary.is_clean) == (0, True)
    assert await scene.tables() == before


async def test_a_batch_id_checks_an_ended_batch_too(scene: Scene) -> None:
    in_queue = await ended_with_counted_failures(scene)
    in_queue.jobs = jobs(1_037, failed=1)
    report = await scene.run(batch_id="sync")
    assert report.summary.repaired == 1
    assert (await scene.store.get_batch("sync")).tally == Tally(1_036, 1)
