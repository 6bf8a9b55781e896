"""Only one pass runs at a time."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import select, update

from batches.store import schema
from batches.store.held_lease import hold_lease
from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.sweep import LEASE_NAME
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch


async def test_a_second_pass_does_nothing_and_is_clean(scene: Scene) -> None:
    """The first pass continues."""
    await scene.batch("batch", FakeBatch(jobs(2)))
    stall = scene.queue.stall("batch")
    first = asyncio.create_task(scene.run())
    await stall.reached.wait()
    second = (await scene.run()).summary
    stall.over.set()
    assert (second.lease_held_elsewhere, second.looked_at, second.is_clean) == (True, 0, True)
    assert (await first).summary.completed == 1


async def test_a_dry_run_needs_no_lease(scene: Scene) -> None:
    """It may run beside a pass."""
    await scene.batch("batch", FakeBatch(jobs(2)))
    assert await scene.store.acquire_lease(LEASE_NAME, "another", 60)
    assert (await scene.run(dry_run=True)).summary.completed == 1


async def test_a_pass_over_one_batch_needs_no_lease(scene: Scene) -> None:
    """A person need not wait for the end of a long pass; both write on condition of the revision."""
    for batch_id in ("slow", "wanted"):
        await scene.batch(batch_id, FakeBatch(jobs(2)))
    scene.settings = {"concurrency": 1}
    stall = scene.queue.stall("slow")
    first = asyncio.create_task(scene.run())
    await stall.reached.wait()
    assert (await scene.run(batch_id="wanted")).summary.completed == 1
    stall.over.set()
    assert (await first).summary.completed == 1
    assert await scene.differences() == []


async def test_the_lease_is_released_at_the_end(scene: Scene) -> None:
    """The next pass may begin at once."""
    await scene.run()
    assert (await scene.tables())["leases"] == []


async def test_the_lease_is_renewed_while_the_pass_runs(scene: Scene) -> None:
    """The pass may take much longer than the lease."""
    deadline = Deadline(60)
    async with (
        hold_lease(scene.store, LEASE_NAME, stop(deadline), seconds=30, renew_seconds=0.01),
        asyncio.timeout(10),
    ):
        first = await expire_time(scene)
        while await expire_time(scene) == first:
            pass
        assert not deadline.is_over
    deadline.close()


def stop(deadline: Deadline) -> Callable[[], None]:
    """Return what a pass does when it loses its lease."""
    return partial(deadline.stop, StopReason.LEASE_LOST)


async def expire_time(scene: Scene) -> datetime:
    """Return when the lease expires."""
    async with scene.database.engine.connect() as connection:
        time: datetime = (await connection.execute(select(schema.leases.c.expire_time))).scalar_one()
        return time


async def test_a_pass_that_has_lost_its_lease_stops(scene: Scene) -> None:
    """It may have been suspended for longer than its lease; the new holder keeps it."""
    deadline = Deadline(60)
    async with (
        hold_lease(scene.store, LEASE_NAME, stop(deadline), seconds=30, renew_seconds=0.01),
        asyncio.timeout(10),
    ):
        async with scene.database.engine.begin() as connection:
            await connection.execute(update(schema.leases).values(holder="another"))
        while not deadline.is_over:
            await scene.store.ping()
    deadline.close()
    assert deadline.stop_reason is StopReason.LEASE_LOST
    assert (await scene.tables())["leases"][0][1] == "another"
