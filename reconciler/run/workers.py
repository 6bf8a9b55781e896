"""Workers that check one batch after the other; an error with one batch does not stop the pass."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import structlog

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.queue.port import QueueContradiction, QueueError, QueueFault, QueueUnavailable
from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.result import BatchInProgress, OnResult

UNAVAILABLE_IN_A_ROW_MAX = 5
"""Each of them took several tries already: the service is down, and more calls would only hammer it."""
UNCHECKED_COUNTED_MAX = 10_000
"""How many of the batches that were not checked are counted: some 50 pages, about a quarter of a second."""

Repair = Callable[[BatchInProgress], Awaitable[NotRepaired | None]]
Ping = Callable[[], Awaitable[None]]

_log = structlog.get_logger()


class WorkerPool:
    """Checks batches, several at a time.

    Args:
        repair: Repairs a batch; returns why no more was done.
        ping: Raises DatabaseUnavailable while the database does not answer.
        deadline: Stops the workers, and is stopped by them if no other batch could fare better.
        on_result: Receives what was done about each batch.

    """

    def __init__(self, repair: Repair, ping: Ping, deadline: Deadline, on_result: OnResult) -> None:
        self._repair = repair
        self._ping = ping
        self._deadline = deadline
        self._on_result = on_result
        self._unavailable_in_a_row = 0
        self._next_batch = asyncio.Lock()

    async def check(self, batches: AsyncIterator[Batch], workers: int) -> int:
        """Check all batches; return how many were not checked because the pass stopped."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker(batches))
        return await self._count_unchecked(batches) if self._deadline.is_over else 0

    async def _worker(self, batches: AsyncIterator[Batch]) -> None:
        while not self._deadline.is_over:
            batch = await self._next(batches)
            if batch is None:
                return
            await self._check_one(BatchInProgress(batch))

    async def _next(self, batches: AsyncIterator[Batch]) -> Batch | None:
        try:
            async with self._next_batch:  # an iterator serves one caller at a time
                return await anext(batches, None)
        except DatabaseUnavailable:
            self._deadline.stop(StopReason.DATABASE_UNAVAILABLE)
            return None

    async def _check_one(self, batch: BatchInProgress) -> None:
        not_repaired = await self._repaired(batch)
        await self._stop_if_unavailable(not_repaired)
        with suppress(TimeoutError):
            async with self._deadline.limit():
                await self._on_result(batch.result(not_repaired))

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
        reason = not_repaired.reason if not_repaired is not None else None
        is_unavailable = reason is NotRepairedReason.QUEUE_UNAVAILABLE
        self._unavailable_in_a_row = self._unavailable_in_a_row + 1 if is_unavailable else 0
        if self._unavailable_in_a_row >= UNAVAILABLE_IN_A_ROW_MAX:
            self._deadline.stop(StopReason.QUEUE_UNAVAILABLE)
        if reason is NotRepairedReason.DATABASE_UNAVAILABLE and not await self._database_answers():
            self._deadline.stop(StopReason.DATABASE_UNAVAILABLE)

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
        case QueueUnavailable():
            return _queue_error(NotRepairedReason.QUEUE_UNAVAILABLE, error)
        case QueueFault():
            return _queue_error(NotRepairedReason.QUEUE_FAULT, error)
        case QueueContradiction():
            return _queue_error(NotRepairedReason.CONTRADICTION, error)
        case DatabaseUnavailable():
            reason, kind = NotRepairedReason.DATABASE_UNAVAILABLE, ReasonKind.DATABASE_UNAVAILABLE
            return NotRepaired.because(reason, kind)
        case BatchNotFound():
            return NotRepaired.because(NotRepairedReason.ENDED, ReasonKind.DELETED)
    _log.error("unexpected error", batch_id=batch_id, exc_info=error)
    return NotRepaired.because(NotRepairedReason.UNEXPECTED, ReasonKind.UNEXPECTED, type(error).__name__)


def _queue_error(reason: NotRepairedReason, error: QueueError) -> NotRepaired:
    return NotRepaired.because(reason, ReasonKind.QUEUE_ERROR, str(error))
