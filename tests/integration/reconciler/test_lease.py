"""One pass at a time."""

import asyncio
from datetime import datetime

from sqlalchemy import select, update

from batches.store import schema
from reconciler.run.deadline import PassEnd
from reconciler.run.lease import LEASE_NAME, held
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch


async def test_two_passes_at_once(scene: Scene) -> None:
    """While a pass runs a second one does nothing and says so; that is clean."""
    await scene.batch("batch", FakeBatch(jobs(2)))
    stall = scene.queue.stall("batch")
    first = asyncio.create_task(scene.run())
    await stall.reached.wait()
    second = await scene.run()
    stall.over.set()
    assert (second.result.lease_held_elsewhere, second.result.looked_at, second.result.is_clean) == (
        True,
        0,
        True,
    )
    assert second.note == "another pass runs: nothing was done"
    assert (await first).result.completed == 1


async def test_a_dry_run_beside_a_pass(scene: Scene) -> None:
    """A dry run needs no lease."""
    await scene.batch("batch", FakeBatch(jobs(2)))
    assert await scene.store.acquire_lease(LEASE_NAME, "another", 60)
    assert (await scene.run(dry_run=True)).result.completed == 1


async def test_the_lease_is_given_back(scene: Scene) -> None:
    """After a pass the next one may begin at once."""
    await scene.run()
    assert (await scene.tables())["leases"] == []


async def test_the_lease_is_renewed(scene: Scene) -> None:
    """A lease is renewed for as long as its pass runs."""
    end = PassEnd(60)
    async with held(scene.store, end, seconds=30, renew_seconds=0.01), asyncio.timeout(10):
        first = await until(scene)
        while await until(scene) == first:
            pass
        assert not end.is_over
    end.close()


async def until(scene: Scene) -> datetime:
    """Return when the lease ends."""
    async with scene.database.engine.connect() as connection:
        time: datetime = (await connection.execute(select(schema.leases.c.expire_time))).scalar_one()
        return time


async def test_a_lost_lease_ends_the_pass(scene: Scene) -> None:
    """A pass that slept past its lease, and finds another holder, begins no further batch."""
    end = PassEnd(60)
    async with held(scene.store, end, seconds=30, renew_seconds=0.01), asyncio.timeout(10):
        async with scene.database.engine.begin() as connection:
            await connection.execute(update(schema.leases).values(holder="another"))
        while not end.is_over:
            await scene.store.ping()
    end.close()
    assert end.why == "another pass took its lease"
    assert (await scene.tables())["leases"][0][1] == "another"
