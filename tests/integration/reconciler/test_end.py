"""How a pass ends before it has checked every batch."""

import asyncio

from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.run.deadline import Deadline, StopReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch


async def three_batches(scene: Scene) -> None:
    """Create three stuck batches that are checked one after the other."""
    for number in range(3):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    scene.settings = {"concurrency": 1}


async def test_a_pass_whose_time_is_up_finishes_the_batch_in_progress(scene: Scene) -> None:
    """It starts no further batch, and says how many it did not check."""
    await three_batches(scene)
    stall = scene.queue.stall("batch-1")
    deadline = Deadline(60)
    run = asyncio.create_task(scene.run(deadline=deadline))
    await stall.reached.wait()
    deadline.stop(StopReason.TIME_UP)
    stall.over.set()
    summary = (await run).summary
    assert (summary.completed, summary.not_looked_at, summary.cut_short) == (2, 1, StopReason.TIME_UP)
    assert not summary.is_clean


async def test_the_time_of_a_pass_ends_by_itself(scene: Scene) -> None:
    """A pass of zero seconds checks no batch."""
    await three_batches(scene)
    summary = (await scene.run(deadline=Deadline(0))).summary
    assert (summary.looked_at, summary.not_looked_at, summary.cut_short) == (0, 3, StopReason.TIME_UP)


async def test_a_pass_that_has_checked_every_batch_is_clean_however_late(scene: Scene) -> None:
    """Its time was up while it finished the last one."""
    await three_batches(scene)
    stall = scene.queue.stall("batch-2")
    deadline = Deadline(60)
    run = asyncio.create_task(scene.run(deadline=deadline))
    await stall.reached.wait()
    deadline.stop(StopReason.TIME_UP)
    stall.over.set()
    summary = (await run).summary
    assert (summary.completed, summary.cut_short, summary.is_clean) == (3, "", True)


async def test_a_batch_that_takes_too_long_after_the_stop_is_abandoned(scene: Scene) -> None:
    """The lease is released all the same."""
    await three_batches(scene)
    stall = scene.queue.stall("batch-1")
    deadline = Deadline(60, finish_seconds_max=0.05)
    run = asyncio.create_task(scene.run(deadline=deadline))
    await stall.reached.wait()
    deadline.stop(StopReason.SIGNAL)
    summary = (await run).summary
    stall.over.set()
    assert (summary.completed, summary.left, summary.not_looked_at) == (
        1,
        {NotRepairedReason.CUT_SHORT: 1},
        1,
    )
    assert (summary.cut_short, summary.is_clean) == (StopReason.SIGNAL, False)
    assert (await scene.tables())["leases"] == []
