"""Workers that take one batch after the other; what goes wrong with one never stops the pass."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import structlog

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.queue.port import QueueContradiction, QueueFault, QueueUnavailable
from reconciler.run.deadline import PassEnd
from reconciler.run.result import Draft, Looked

UNAVAILABLE_IN_A_ROW_MAX = 5
"""Each took several tries already: the service is away, and a thousand batches more would only hammer it."""
UNCOUNTED_BATCHES_MAX = 10_000
"""How far the batches that were not looked at are counted: some 50 pages, a good quarter of a second."""

OnLooked = Callable[[Looked], Awaitable[None]]
"""Hears what became of each batch; its worker waits for it, for a while after the pass's end at the most."""

_log = structlog.get_logger()


class Crew:
    """Looks at batches, several at a time."""

    def __init__(
        self,
        repair: Callable[[Draft], Awaitable[Leave | None]],
        ping: Callable[[], Awaitable[None]],
        end: PassEnd,
        on_looked: OnLooked,
    ) -> None:
        """Take what repairs a batch, what fails while the database is away, the end, whom to tell."""
        self._repair = repair
        self._ping = ping
        self._end = end
        self._on_looked = on_looked
        self._unavailable_in_a_row = 0
        self._taking = asyncio.Lock()

    async def work(self, batches: AsyncIterator[Batch], workers: int) -> int:
        """Look at all of them; return how many were not looked at because the pass ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker(batches))
        return await self._count_rest(batches) if self._end.is_over else 0

    async def _worker(self, batches: AsyncIterator[Batch]) -> None:
        while not self._end.is_over:
            batch = await self._next(batches)
            if batch is None:
                return
            await self._take(batch)

    async def _next(self, batches: AsyncIterator[Batch]) -> Batch | None:
        """Return the next batch: an iterator is asked by one worker at a time."""
        try:
            async with self._taking:
                return await anext(batches, None)
        except DatabaseUnavailable:
            self._end.cut("the database does not answer")
            return None

    async def _take(self, batch: Batch) -> None:
        draft = Draft(batch)
        left = await self._left(draft)
        await self._heed(left)
        with suppress(TimeoutError):
            async with self._end.limit():
                await self._on_looked(draft.looked(left))

    async def _left(self, draft: Draft) -> Leave | None:
        """Repair; whatever went wrong is a reason why the batch was left."""
        try:
            async with self._end.limit():
                return await self._repair(draft)
        except TimeoutError:
            return Leave(LeaveKind.CUT_SHORT, "the pass ended before it")
        except Exception as error:  # noqa: BLE001  # one bad batch never stops the pass
            return _failure(draft.before.batch_id, error)

    async def _heed(self, left: Leave | None) -> None:
        """End the pass where no other batch could fare better."""
        kind = left.kind if left is not None else None
        is_away = kind is LeaveKind.QUEUE_UNAVAILABLE
        self._unavailable_in_a_row = self._unavailable_in_a_row + 1 if is_away else 0
        if self._unavailable_in_a_row >= UNAVAILABLE_IN_A_ROW_MAX:
            self._end.cut("the job-status service does not answer")
        if kind is LeaveKind.DATABASE_UNAVAILABLE and not await self._database_answers():
            self._end.cut("the database does not answer")

    async def _database_answers(self) -> bool:
        """Whether it was one batch's transaction only, for instance because somebody holds its row."""
        try:
            await self._ping()
        except DatabaseUnavailable:
            return False
        return True

    async def _count_rest(self, batches: AsyncIterator[Batch]) -> int:
        rest = 0
        try:
            while rest < UNCOUNTED_BATCHES_MAX and await anext(batches, None) is not None:
                rest += 1
        except DatabaseUnavailable:
            _log.warning("the batches that were not looked at could not be counted")
        return rest


def _failure(batch_id: str, error: Exception) -> Leave:
    match error:
        case QueueUnavailable():
            return Leave(LeaveKind.QUEUE_UNAVAILABLE, str(error))
        case QueueFault():
            return Leave(LeaveKind.QUEUE_FAULT, str(error))
        case QueueContradiction():
            return Leave(LeaveKind.CONTRADICTION, str(error))
        case DatabaseUnavailable():
            return Leave(LeaveKind.DATABASE_UNAVAILABLE, "the database does not answer")
        case BatchNotFound():
            return Leave(LeaveKind.ENDED, "it was deleted meanwhile")
    _log.error("unexpected error", batch_id=batch_id, exc_info=error)
    return Leave(LeaveKind.UNEXPECTED, f"unexpected {type(error).__name__}, see the log")
