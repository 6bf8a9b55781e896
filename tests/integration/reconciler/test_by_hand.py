"""A pass that a person starts, and stops with Ctrl-C."""

import pytest

from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch

pytestmark = [
    pytest.mark.more("starts a process for each option"),
    pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True),
]


async def three_batches(scene: Scene) -> None:
    """Create three batches, the first of which stays open."""
    await scene.batch("batch-0", FakeBatch(jobs(2, pending=1), finished=False))
    for number in (1, 2):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))


@pytest.mark.parametrize("options", [("--all",), ("--all", "--dry-run")], ids=" ".join)
async def test_ctrl_c_finishes_the_batch_in_progress_and_reports(
    scene: Scene, options: tuple[str, ...]
) -> None:
    """The lease is released, counters and rows agree, and a dry run has written nothing."""
    await three_batches(scene)
    before = await scene.tables()
    stall = scene.queue.stall("batch-1")
    process = await scene.start(*options, RECONCILER_CONCURRENCY="1")
    await stall.reached.wait()
    process.interrupt()
    await process.says("stopping")
    stall.over.set()
    finished = await process.finished()
    assert (finished.code, finished.summary["cut_short"]) == (1, "stopped by a signal")
    assert (finished.summary["looked_at"], finished.summary["not_looked_at"]) == (2, 1)
    after = await scene.tables()
    assert (after["leases"], await scene.differences()) == ([], [])
    assert ("--dry-run" in options) == (after == before)


async def test_after_ctrl_c_the_next_pass_begins_with_the_other_batches(scene: Scene) -> None:
    await three_batches(scene)
    stall = scene.queue.stall("batch-1")
    process = await scene.start(RECONCILER_CONCURRENCY="1")
    await stall.reached.wait()
    process.interrupt()
    await process.says("stopping")
    stall.over.set()
    await process.finished()
    scene.queue.calls.clear()
    scene.settings = {"concurrency": 1}
    await scene.run()
    asked = [batch_id for method, batch_id in scene.queue.calls if method == "GetBatchStatus"]
    assert asked == ["batch-2", "batch-0"]
