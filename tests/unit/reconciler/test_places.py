"""While the database writes a repair, the queue is asked about another batch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import cast

from batches import repair as repairs
from batches.batch import NO_JOBS, Batch
from batches.repair import RepairPlan
from batches.result import StoredAttempt
from batches.store.batch_store import BatchStore
from reconciler.queue.port import QueueCounts, ServiceHealth
from reconciler.run.availability import Availability
from reconciler.run.deadline import Deadline
from reconciler.run.places import Place
from reconciler.run.repairer import Repairer
from reconciler.run.result import BatchInProgress, ignore
from reconciler.run.workers import WRITTEN_BESIDES_MAX, Repair, WorkerPool
from tests.support.samples import BATCH
from tests.unit.reconciler.jobs import job
from tests.unit.reconciler.model import World, batch_of

WORLD = World(
    batch_of({}, NO_JOBS, sealed=True, spare_jobs=1),
    {},
    QueueCounts(total=1, succeeded=1, finished=True, lists_jobs=True),
    [job("only")],
)


class Queue:
    """Notes about how many batches it is asked at the same time, and how many are being written."""

    def __init__(self, written_together: int) -> None:
        self.asked = self.asked_max = self.writing = self.writing_max = 0
        self._written_together = written_together
        self._written = asyncio.Event()

    async def repair(self, batch: BatchInProgress) -> None:
        """Ask about a batch, and write it with others."""
        await batch.place.take()
        self.asked += 1
        self.asked_max = max(self.asked, self.asked_max)
        await asyncio.sleep(0)
        self.asked -= 1
        batch.place.leave()
        self.writing += 1
        self.writing_max = max(self.writing, self.writing_max)
        if self.writing >= self._written_together:
            self._written.set()
        await self._written.wait()
        self.writing -= 1


class SlowStore:
    """A store that waits before it carries out a plan."""

    def __init__(self) -> None:
        self.is_writing, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def read_attempts(self, batch_key: int, job_ids: Sequence[str]) -> dict[str, StoredAttempt]:
        """Return what is recorded."""
        return await WORLD.read_attempts(batch_key, job_ids)

    async def write_repair(self, plan: RepairPlan) -> Batch:
        """Carry out a plan."""
        self.is_writing.set()
        await self.may_go_on.wait()
        return repairs.repair(WORLD.batch, {}, plan).batches[plan.batch_id]


async def batches(number: int) -> AsyncIterator[Batch]:
    """Yield some batches."""
    for index in range(number):
        yield replace(BATCH, batch_id=f"batch-{index}")


async def check(repair: Repair, number: int, workers: int) -> None:
    """Check batches."""

    async def answers() -> None:
        """Be a database that answers."""

    async def healthy() -> ServiceHealth:
        return ServiceHealth.SERVING

    deadline = Deadline(60)
    pool = WorkerPool(repair, answers, Availability(healthy), deadline)
    async with asyncio.timeout(10):
        assert await pool.check(batches(number), workers, ignore) == 0
    deadline.close()


async def test_batches_are_asked_about_while_others_are_written() -> None:
    """With one worker, several repairs wait for the same transaction."""
    queue = Queue(written_together=5)
    await check(queue.repair, 10, workers=1)
    assert queue.writing_max >= 5


async def test_the_queue_is_asked_about_no_more_batches_than_there_are_workers() -> None:
    queue = Queue(written_together=1)
    await check(queue.repair, 50, workers=3)
    assert queue.asked_max == 3


async def test_the_last_batch_can_have_a_place_again() -> None:
    """Its list may have another portion."""

    async def in_two_portions(batch: BatchInProgress) -> None:
        batch.place.leave()
        for _ in range(10):
            await asyncio.sleep(0)
        await batch.place.take()

    await check(in_two_portions, 2, workers=1)


async def test_a_bounded_number_of_batches_is_under_way() -> None:
    """Each may hold thousands of results."""
    queue = Queue(written_together=3 + WRITTEN_BESIDES_MAX)
    await check(queue.repair, 100, workers=3)
    assert queue.writing_max == 3 + WRITTEN_BESIDES_MAX


async def test_a_repair_leaves_its_place_while_it_is_written() -> None:
    """The queue has been asked, and is asked about another batch."""
    places = asyncio.Semaphore(1)
    place, other = Place(places), Place(places)
    store = SlowStore()
    repairer = Repairer(WORLD, cast("BatchStore", store), str, dry_run=False)
    repairing = asyncio.create_task(repairer.repair(BatchInProgress(WORLD.batch, place)))
    async with asyncio.timeout(10):
        await store.is_writing.wait()
        await other.take()
        store.may_go_on.set()
        assert await repairing is None


async def test_a_batch_has_at_most_one_place() -> None:
    """It may take and leave it several times."""
    places = asyncio.Semaphore(1)
    place, other = Place(places), Place(places)
    place.leave()
    await place.take()
    await place.take()
    place.leave()
    place.leave()
    async with asyncio.timeout(1):
        await other.take()
    assert places.locked()
