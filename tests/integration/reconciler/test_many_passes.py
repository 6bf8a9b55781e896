"""Passes over a thousand and more stuck batches, of which some never resolve or are too slow to ask about."""

from collections.abc import Sequence

import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse
from sqlalchemy import insert, select

from batches.batch import BatchState
from batches.store import schema
from reconciler.run.deadline import Deadline, StopReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch

PASSES = 10
STUCK, NEVER_RESOLVED, SLOW = 1_000, 150, 10
BATCHES_PER_PASS = 120
"""As many as a source that takes two seconds a batch allows in a pass of 240 s."""
CALL_SECONDS_MAX = 1.0
PASS_SECONDS_MAX = 120.0
"""For one pass on a busy machine; the number of batches ends it earlier."""

pytestmark = [
    pytest.mark.more("checks thousands of batches"),
    pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True),
]


async def stuck_batches(scene: Scene, names: Sequence[str], in_queue: FakeBatch) -> None:
    """Create stuck batches: the first as a caller does, the others as copies of its row."""
    await scene.batch(names[0], in_queue)
    scene.queue.batches |= dict.fromkeys(names, in_queue)
    async with scene.database.engine.begin() as connection:
        first = select(schema.batches).where(schema.batches.c.batch_id == names[0])
        row = dict((await connection.execute(first)).one()._mapping)  # noqa: SLF001  # its public name
        del row["batch_key"]
        await connection.execute(insert(schema.batches), [{**row, "batch_id": name} for name in names[1:]])


async def slow_batches(scene: Scene, number: int) -> None:
    """Create stuck batches about which the service never answers in time, though it is healthy."""
    names = [f"slow-{index}" for index in range(number)]
    await stuck_batches(scene, names, FakeBatch(jobs(1)))
    for name in names:
        scene.queue.stall(name)
    scene.queue.health = HealthCheckResponse.SERVING
    scene.settings = {"job_status_seconds_max": CALL_SECONDS_MAX}


async def run_over(scene: Scene, batches: int) -> None:
    """Run a pass that has the time for this many batches."""
    deadline, asked = Deadline(PASS_SECONDS_MAX), set[str]()

    def note(_method: str, batch_id: str) -> None:
        asked.add(batch_id)
        if len(asked) >= batches:
            deadline.stop(StopReason.TIME_UP)

    scene.queue.failure = note
    await scene.run(deadline=deadline)


async def test_ten_passes_repair_every_batch_that_can_be_repaired(scene: Scene) -> None:
    """Batches that never resolve or time out come first, and keep no other one from being repaired."""
    await slow_batches(scene, SLOW)
    pending = FakeBatch(jobs(1, pending=1), finished=False, lists_jobs=False)
    await stuck_batches(scene, [f"never-{index}" for index in range(NEVER_RESOLVED)], pending)
    others = [f"batch-{index}" for index in range(STUCK - NEVER_RESOLVED - SLOW)]
    await stuck_batches(scene, others, FakeBatch(jobs(1), lists_jobs=False))
    for _ in range(PASSES):
        await run_over(scene, BATCHES_PER_PASS)
    overview = await scene.store.read_overview(0)
    assert overview.batches == {
        BatchState.PROCESSING: NEVER_RESOLVED + SLOW,
        BatchState.COMPLETED: len(others),
        BatchState.CANCELLED: 0,
    }
    assert await scene.differences() == []


async def test_eight_batches_that_time_out_keep_no_other_one_from_being_checked(scene: Scene) -> None:
    """A single pass repairs the 1,504 batches behind them."""
    await slow_batches(scene, 8)
    others = [f"batch-{index}" for index in range(1_504)]
    await stuck_batches(scene, others, FakeBatch(jobs(1), lists_jobs=False))
    summary = (await scene.run(deadline=Deadline(PASS_SECONDS_MAX))).summary
    assert (summary.looked_at, summary.completed, summary.left) == (1_512, 1_504, {"timed_out": 8})
    assert (summary.cut_short, summary.not_looked_at) == ("", 0)
