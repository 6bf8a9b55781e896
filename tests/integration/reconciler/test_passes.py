"""What is kept of a pass: when it ran, whether a person asked for it, and what it did."""

import grpc

from batches.passes import Pass
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, failing


async def kept(scene: Scene) -> list[Pass]:
    """Return the passes that were kept, newest first."""
    return (await scene.store.list_passes(before_key=None, size=100)).items


async def test_a_scheduled_pass_is_kept_with_its_numbers(scene: Scene) -> None:
    await scene.batch("repaired", FakeBatch(jobs(3)), jobs(3)[1:])
    await scene.batch("open", FakeBatch(jobs(3, pending=1), finished=False), jobs(3)[1:])
    await scene.batch("lied-about", FakeBatch(jobs(3), counts={"succeeded": 2}))
    report = await scene.run()
    (one,) = await kept(scene)
    assert one.end_time is not None
    assert one.start_time <= one.end_time
    assert (one.manual, one.numbers) == (False, report.summary.kept)
    assert one.numbers.batches_looked_at == 3
    assert one.numbers.batches_repaired == 1
    assert one.numbers.batches_left == {"contradiction": 1, "still_pending": 1}
    assert (one.numbers.errors, one.numbers.cut_short) == (1, "")


async def test_passes_by_hand_are_told_apart(scene: Scene) -> None:
    """They are those with an option that selects batches."""
    await scene.batch("batch", FakeBatch(jobs(3, pending=1), finished=False))
    await scene.run(batch_id="batch")
    await scene.run(all_batches=True)
    await scene.run()
    assert [one.manual for one in await kept(scene)] == [False, True, True]


async def test_a_pass_over_a_batch_that_does_not_exist_is_kept(scene: Scene) -> None:
    await scene.run(batch_id="none")
    (one,) = await kept(scene)
    assert (one.numbers.batches_left, one.numbers.errors) == ({"no_such_batch": 1}, 1)


async def test_a_pass_that_stops_early_keeps_why(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(3)))
    scene.queue.failure = failing(grpc.StatusCode.UNAUTHENTICATED)
    await scene.run()
    (one,) = await kept(scene)
    assert one.end_time is not None
    assert one.numbers.cut_short == "the job-status service denies access"


async def test_a_dry_run_is_not_kept(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(3, pending=1), finished=False))
    await scene.run(dry_run=True)
    assert await kept(scene) == []


async def test_a_pass_over_one_batch_does_not_show_that_the_scheduled_ones_run(scene: Scene) -> None:
    await scene.batch("batch", FakeBatch(jobs(3, pending=1), finished=False))
    await scene.run(batch_id="batch")
    assert (await scene.store.read_server_info()).last_pass_time is None
    await scene.run(all_batches=True)
    assert (await scene.store.read_server_info()).last_pass_time is not None
