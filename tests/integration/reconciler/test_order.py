"""A pass begins with the batches that were looked at longest ago, so that every batch gets its turn."""

import asyncio

from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.sweep import PAGE_BATCHES
from tests.integration.reconciler.scenes import PROCESS_SECONDS_MAX, Scene, jobs
from tests.support.queue_fake import FakeBatch

BATCHES = 12
BATCHES_PER_PASS = 5
RUNNING = FakeBatch(jobs(2, pending=1), finished=False, lists_jobs=False)
"""A batch that stays open."""


async def run_over(scene: Scene, batches: int) -> list[str]:
    """Run a pass that has the time for this many batches; return those that it asked about."""
    deadline, asked = Deadline(PROCESS_SECONDS_MAX), list[str]()

    def note(_method: str, batch_id: str) -> None:
        asked.append(batch_id)
        if len(asked) == batches:
            deadline.stop(StopReason.TIME_UP)

    scene.queue.failure = note
    await scene.run(deadline=deadline)
    return asked


async def open_batches(scene: Scene) -> list[str]:
    """Create batches that stay open, checked one after the other; return their ids."""
    scene.settings = {"concurrency": 1}
    batch_ids = [f"batch-{number:02}" for number in range(BATCHES)]
    for batch_id in batch_ids:
        await scene.batch(batch_id, RUNNING)
    return batch_ids


async def test_the_next_pass_begins_where_the_last_one_ended(scene: Scene) -> None:
    """The order goes on across passes; a batch that was never looked at comes first."""
    batch_ids = await open_batches(scene)
    passes = [await run_over(scene, BATCHES_PER_PASS) for _ in range(2)]
    await scene.batch("new", RUNNING)
    passes += [await run_over(scene, BATCHES_PER_PASS) for _ in range(2)]
    around = [*batch_ids, "new", *batch_ids]
    assert [one for asked in passes for one in asked] == around[: 4 * BATCHES_PER_PASS]


async def test_a_batch_that_takes_up_a_whole_pass_does_not_come_first_in_the_next(scene: Scene) -> None:
    """It was looked at, although the pass stopped before the queue had answered."""
    first, second, *_ = await open_batches(scene)
    stall = scene.queue.stall(first)
    deadline = Deadline(PROCESS_SECONDS_MAX, finish_seconds_max=0.05)
    run = asyncio.create_task(scene.run(deadline=deadline))
    await stall.reached.wait()
    deadline.stop(StopReason.TIME_UP)
    assert (await run).summary.left == {"cut_short": 1}
    stall.over.set()
    del scene.queue.stalls[first]
    assert await run_over(scene, 1) == [second]


async def test_a_killed_pass_keeps_the_looks_that_it_had_made(scene: Scene) -> None:
    """The next pass continues after them."""
    batch_ids = await open_batches(scene)
    stall = scene.queue.stall(batch_ids[3])
    process = await scene.start(RECONCILER_CONCURRENCY="1")
    await stall.reached.wait()
    await process.kill()
    stall.over.set()
    del scene.queue.stalls[batch_ids[3]]
    await scene.let_the_lease_expire()
    assert await run_over(scene, 2) == batch_ids[3:5]


async def test_a_pass_over_all_batches_keeps_the_order_too(scene: Scene) -> None:
    batch_ids = await open_batches(scene)
    await run_over(scene, BATCHES_PER_PASS)
    scene.queue.failure = lambda _method, _batch_id: None
    scene.queue.calls.clear()
    await scene.run(all_batches=True, stuck_after=3_600)
    asked = [batch_id for _, batch_id in scene.queue.calls]
    assert asked == [*batch_ids[BATCHES_PER_PASS:], *batch_ids[:BATCHES_PER_PASS]]


async def test_a_batch_that_ends_before_its_turn_is_not_checked(scene: Scene) -> None:
    """Batches are read some at a time, perhaps long after the pass has listed them."""
    scene.settings = {"concurrency": 1}
    for number in range(1 + PAGE_BATCHES):
        await scene.batch(f"batch-{number}", RUNNING)
    stall = scene.queue.stall("batch-0")
    run = asyncio.create_task(scene.run())
    await stall.reached.wait()
    await scene.report(f"batch-{PAGE_BATCHES}", jobs(2))
    stall.over.set()
    assert (await run).summary.left == {"still_pending": PAGE_BATCHES}
