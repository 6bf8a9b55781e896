"""Checks several batches at the same time; an error with one batch does not stop the pass."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import structlog

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.queue.port import QueueError
from reconciler.run.availability import Availability
from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.places import Place
from reconciler.run.queue_errors import left_by
from reconciler.run.result import BatchInProgress, OnResult

UNCHECKED_COUNTED_MAX = 10_000
"""How many of the batches that were not checked are counted: some 50 pages, about a quarter of a second."""

WRITTEN_BESIDES_MAX = 16
"""Batches that wait for their transaction or their report, besides those about which the queue is asked:
their repairs share a transaction. Each may hold 10,000 results, some 2 MB."""

Repair = Callable[[BatchInProgress], Awaitable[NotRepaired | None]]
Ping = Callable[[], Awaitable[None]]

_log = structlog.get_logger()


class WorkerPool:
    """Checks batches, several at a time.

    Args:
        repair: Repairs a batch; returns why no more was done.
        ping: Raises DatabaseUnavailable while the database does not answer.
        availability: Decides whether the job-status service answers anybody.
        deadline: Stops the workers, and is stopped by them if no other batch could fare better.

    """

    def __init__(self, repair: Repair, ping: Ping, availability: Availability, deadline: Deadline) -> None:
        self._repair = repair
        self._ping = ping
        self._availability = availability
        self._deadline = deadline

    async def check(self, batches: AsyncIterator[Batch], workers: int, on_result: OnResult) -> int:
        """Check all batches.

        Args:
            batches: The batches.
            workers: About how many the queue is asked at the same time.
            on_result: Receives what was done about each batch.

        Returns:
            How many batches were not checked because the pass stopped.

        """
        under_way = asyncio.Semaphore(workers + WRITTEN_BESIDES_MAX)
        places = asyncio.Semaphore(workers)
        async with asyncio.TaskGroup() as group:
            while True:
                await under_way.acquire()
                batch = await self._next(batches, Place(places))
                if batch is None:
                    break
                task = group.create_task(self._check_one(batch, on_result))
                task.add_done_callback(lambda _: under_way.release())
        if self._deadline.is_over:
            return await self._count_unchecked(batches)
        self._stop_for(await self._availability.final_stop_reason())
        return 0

    async def _next(self, batches: AsyncIterator[Batch], place: Place) -> BatchInProgress | None:
        """Return the next batch when it has a place; None if there is none, or the pass stops."""
        await place.take()
        try:
            batch = None if self._deadline.is_over else await anext(batches, None)
        except DatabaseUnavailable:
            self._deadline.stop(StopReason.DATABASE_UNAVAILABLE)
            batch = None
        if batch is None:
            place.leave()  # for those that are under way
            return None
        return BatchInProgress(batch, place)

    async def _check_one(self, batch: BatchInProgress, on_result: OnResult) -> None:
        not_repaired = await self._repaired(batch)
        await self._stop_if_unavailable(not_repaired)
        with suppress(TimeoutError):
            async with self._deadline.limit():
                await on_result(batch.result(not_repaired))
        batch.place.leave()

    async def _repaired(self, batch: BatchInProgress) -> NotRepaired | None:
        """Repair a batch; any error becomes the reason why it was not repaired."""
        try:
            async with self._deadline.limit():
                return await self._repair(batch)
        except TimeoutError:
            return NotRepaired.because(NotRepairedReason.CUT_SHORT, ReasonKind.CUT_SHORT)
        except Exception as error:  # noqa: BLE001  # one bad batch does not stop the pass
            return _failure(batch.before.batch_id, error)

    async def _stop_if_unavailable(self, not_repaired: NotRepaired | None) -> None:
        """Stop the pass if no other batch could fare better."""
        if self._deadline.is_over:
            return
        reason = not_repaired.reason if not_repaired is not None else None
        self._stop_for(await self._availability.stop_reason(reason))
        if reason is NotRepairedReason.DATABASE_UNAVAILABLE and not await self._database_answers():
            self._deadline.stop(StopReason.DATABASE_UNAVAILABLE)

    def _stop_for(self, reason: StopReason | None) -> None:
        if reason is not None:
            self._deadline.stop(reason)

    async def _database_answers(self) -> bool:
        """Return whether only one batch's transaction failed, for example because its row is locked."""
        try:
            await self._ping()
        except DatabaseUnavailable:
            return False
        return True

    async def _count_unchecked(self, batches: AsyncIterator[Batch]) -> int:
        number = 0
        try:
            while number < UNCHECKED_COUNTED_MAX and await anext(batches, None) is not None:
                number += 1
        except DatabaseUnavailable:
            _log.warning("the batches that were not checked could not be counted")
        return number


def _failure(batch_id: str, error: Exception) -> NotRepaired:
    match error:
        case QueueError():
            return left_by(error)
        case DatabaseUnavailable():
            reason = NotRepairedReason.DATABASE_UNAVAILABLE
            return NotRepaired.because(reason, ReasonKind.DATABASE_UNAVAILABLE)
        case BatchNotFound():
            return NotRepaired.because(NotRepairedReason.ENDED, ReasonKind.DELETED)
    _log.error("unexpected error", batch_id=batch_id, exc_info=error)
    return NotRepaired.because(NotRepairedReason.UNEXPECTED, ReasonKind.UNEXPECTED, type(error).__name__)
