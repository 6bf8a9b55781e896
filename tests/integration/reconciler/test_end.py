"""How a pass ends before it has seen every batch."""

import asyncio

from reconciler.decision.not_repaired import LeaveKind
from reconciler.run.deadline import TIME_IS_OVER, PassEnd
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch


async def three_batches(scene: Scene) -> None:
    """Create three stuck batches, looked at one after the other."""
    for number in range(3):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    scene.settings = {"concurrency": 1}


async def test_time_is_over(scene: Scene) -> None:
    """A pass whose time is over begins no further batch, finishes the one under way and says what it left."""
    await three_batches(scene)
    stall = scene.queue.stall("batch-1")
    end = PassEnd(60)
    run = asyncio.create_task(scene.run(end=end))
    await stall.reached.wait()
    end.cut(TIME_IS_OVER)
    stall.over.set()
    result = (await run).result
    assert (result.completed, result.not_looked_at, result.cut_short) == (2, 1, TIME_IS_OVER)
    assert not result.is_clean


async def test_no_time_at_all(scene: Scene) -> None:
    """The clock of a pass runs by itself."""
    await three_batches(scene)
    result = (await scene.run(end=PassEnd(0))).result
    assert (result.looked_at, result.not_looked_at, result.cut_short) == (0, 3, TIME_IS_OVER)


async def test_time_is_over_with_the_last_batch(scene: Scene) -> None:
    """A pass that has seen every batch is clean, however late it is."""
    await three_batches(scene)
    stall = scene.queue.stall("batch-2")
    end = PassEnd(60)
    run = asyncio.create_task(scene.run(end=end))
    await stall.reached.wait()
    end.cut(TIME_IS_OVER)
    stall.over.set()
    result = (await run).result
    assert (result.completed, result.cut_short, result.is_clean) == (3, "", True)


async def test_a_batch_that_takes_too_long(scene: Scene) -> None:
    """A batch under way that takes too long after the pass's end is given up, and the lease given back."""
    await three_batches(scene)
    stall = scene.queue.stall("batch-1")
    end = PassEnd(60, finish_seconds_max=0.05)
    run = asyncio.create_task(scene.run(end=end))
    await stall.reached.wait()
    end.cut("stopped by a signal")
    result = (await run).result
    stall.over.set()
    assert (result.completed, result.left, result.not_looked_at) == (1, {LeaveKind.CUT_SHORT: 1}, 1)
    assert (result.cut_short, result.is_clean) == ("stopped by a signal", False)
    assert (await scene.tables())["leases"] == []
