"""What a pass keeps about the batches that it leaves open."""

from typing import Any

import grpc

from batches.look import PENDING_JOBS_MAX, LastLook
from batches.store import schema
from tests.integration.reconciler.scenes import OF_PASSES, Scene, jobs
from tests.integration.store.steps import execute
from tests.support.queue_fake import FakeBatch, failing


async def look_at(scene: Scene, batch_id: str = "batch") -> LastLook | None:
    """Return the newest look at a batch."""
    key = (await scene.store.get_batch(batch_id)).batch_key
    return (await scene.store.read_findings([key]))[key].look


async def rows(scene: Scene, table: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a table."""
    return (await scene.rows_of(table))[table.name]


async def test_a_pass_keeps_what_it_found_about_a_batch_that_it_left(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=4), finished=False), jobs(10, pending=4))
    await scene.run()
    look = await look_at(scene)
    assert look is not None
    assert (look.reason_kind, look.reason) == ("still_pending", "4 jobs are still pending in the queue")
    assert (look.pending_jobs, look.lists_jobs) == (4, True)
    pending = await rows(scene, schema.pending_jobs)
    assert [row[1] for row in pending] == [f"job-0000{number}" for number in range(4)]


async def test_the_next_pass_knows_since_when_nothing_has_changed(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=4), finished=False), jobs(10, pending=4))
    await scene.run()
    first = await look_at(scene)
    await scene.run()
    second = await look_at(scene)
    assert first is not None
    assert second is not None
    assert second.unchanged_since == first.look_time < second.look_time


async def test_a_batch_that_stays_open_after_its_repair_has_a_look(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=4), finished=False), jobs(10)[6:])
    report = await scene.run()
    look = await look_at(scene)
    assert look is not None
    assert (report.summary.repaired, look.reason) == (1, "4 jobs are still pending in the queue")
    batch = await scene.store.get_batch("batch")
    assert look.is_newer_than(batch, batch.read_time)


async def test_a_queue_that_keeps_only_counts_names_no_jobs(scene: Scene) -> None:
    queue = FakeBatch(jobs(10, pending=4), finished=False, lists_jobs=False)
    await scene.batch("batch", queue, jobs(10)[4:])
    await scene.run()
    look = await look_at(scene)
    assert look is not None
    assert (look.pending_jobs, look.lists_jobs, await rows(scene, schema.pending_jobs)) == (4, False, [])


async def test_the_first_pending_jobs_are_kept_in_the_order_of_their_ids(scene: Scene) -> None:
    pending = jobs(PENDING_JOBS_MAX + 500, pending=PENDING_JOBS_MAX + 500)
    await scene.batch("batch", FakeBatch(pending[::-1], finished=False), [])
    await scene.run()
    kept = [row[1] for row in await rows(scene, schema.pending_jobs)]
    assert kept == [job.job_id for job in pending[:PENDING_JOBS_MAX]]


async def test_an_error_is_a_look_too(scene: Scene) -> None:
    """A batch whose listing always fails must not be looked at first in every pass."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    scene.queue.failure = failing(grpc.StatusCode.INTERNAL)
    await scene.run()
    look = await look_at(scene)
    assert look is not None
    assert (look.reason_kind, look.reason) == ("queue_fault", "the job-status service answers INTERNAL")


async def test_a_completed_batch_has_no_look(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(10, pending=4), finished=False), jobs(10)[4:])
    await scene.run()
    scene.queue.batches["batch"] = FakeBatch(jobs(10))
    await scene.run()
    assert (await rows(scene, schema.looks), await rows(scene, schema.pending_jobs)) == ([], [])


async def test_a_dry_run_keeps_no_looks(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(3, pending=1), finished=False))
    await scene.run(dry_run=True)
    assert not any((await scene.rows_of(*OF_PASSES)).values())


async def test_a_batch_that_needs_a_person_is_in_the_metrics_until_it_is_mended(scene: Scene) -> None:
    """The pass itself succeeds, so nothing else would tell."""
    await scene.batch("lied-about", FakeBatch(jobs(3), counts={"succeeded": 2}))
    await scene.batch("open", FakeBatch(jobs(3, pending=1), finished=False))
    await scene.run()
    assert (await scene.store.read_overview(0)).batches_need_person == 1
    scene.queue.batches["lied-about"] = FakeBatch(jobs(3))
    await scene.run()
    assert (await scene.store.read_overview(0)).batches_need_person == 0


async def test_a_look_tells_a_person_how_to_end_a_batch_that_stays_as_it_is(scene: Scene) -> None:
    """Since when it has stayed so is left to the reader of the look: it changes with the time."""
    await scene.batch("batch", FakeBatch(jobs(3, pending=1), finished=False), jobs(3, pending=1))
    await execute(scene.database, "UPDATE batches SET last_result_time = '2026-01-01 00:00:00.000000'")
    await scene.run()
    look = await look_at(scene)
    assert look is not None
    assert look.reason == (
        "1 job is still pending in the queue; if nothing more will come, end the batch with --end-pending-as"
    )
