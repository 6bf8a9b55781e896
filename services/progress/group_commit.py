"""Group commit: one transaction carries the results of hundreds of workers.

Callers append their results and wait. One flusher records the pending results in one
transaction and answers every caller after the commit; the next group gathers meanwhile. A
lone call is recorded at once. If the last group had several calls, the next one stays open
until as many wait as there are callers, no more arrive, or its first call has waited for some
time (gathering.py): calls come out of the transport one by one, and a transaction for ten of
them costs as much as one for a hundred.
If more results wait than fit into a group, the callers take turns (turns.py).
Servers that write one batch on several nodes pause after each group (group_pace.py).

    caller ──▶ turns ──▶ flusher ──▶ record (one transaction) ──▶ answers
    caller ──▶   │                          │
    caller ──▶   └── the next group ◀───────┘

The flusher is a task of its own: a caller that gives up cancels its wait, but never the
transaction, which carries the results of other callers too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from batches.batch import BatchState
from batches.errors import BatchError, DatabaseUnavailable, TransactionTooLarge
from batches.recording import Recording
from batches.result import Disposition, JobResult
from services.progress.backlog import Backlog
from services.progress.errors import ShuttingDown
from services.progress.gathering import Gathering
from services.progress.group_pace import GroupPace
from services.progress.group_size import GroupSize
from services.progress.turns import Part, Turns, halves_of, is_divisible, parts_of

_log = structlog.get_logger()

Record = Callable[[Sequence[JobResult]], Awaitable[Recording]]
"""Records results in one transaction, committed when it returns; raises DatabaseUnavailable, and
TransactionTooLarge if fewer results at once may be recorded."""


class Recorded(NamedTuple):
    """The disposition of a result, and its batch after the group was recorded."""

    disposition: Disposition
    batch_state: BatchState
    revision: int


Answer = Recorded | BatchError


@dataclass(slots=True, eq=False)
class Call:
    """A call whose results have room in the backlog until they are answered, even if its caller gave up."""

    caller: Hashable
    size: int
    """The number of results for which it has room."""
    request_bytes: int
    outcome: asyncio.Future[list[Answer]]
    answers: list[Answer] = field(default_factory=list)
    parts_left: int = 0
    """Parts of the call that are not answered yet."""


class GroupCommit:
    """Records the results of any number of callers in groups.

    Args:
        record: records a group.
        changed: gets the ids of the batches that a group has changed.
        backlog_results_max: results that may wait; one caller may have half of them.
        conflicts: returns how many transactions have lost so far against those of other servers.

    """

    def __init__(
        self,
        record: Record,
        changed: Callable[[Iterable[str]], None],
        *,
        backlog_results_max: int,
        conflicts: Callable[[], int] = lambda: 0,
    ) -> None:
        self._record = record
        self._changed = changed
        self._conflicts = conflicts
        self._backlog = Backlog(backlog_results_max)
        self._turns: Turns[Call] = Turns()
        self._size, self._pace = GroupSize(), GroupPace()
        self._gathering = Gathering(self._turns)
        self._arrived = asyncio.Event()
        self._closing = False

    @property
    def backlog_results(self) -> int:
        """Results that were accepted and are not answered yet."""
        return self._backlog.results

    def require_room(self, results: int, request_bytes: int) -> None:
        """Check that a call would be accepted now, before its request is decoded.

        Args:
            results: the number of its results, or less.
            request_bytes: the size of its request.

        Raises:
            BacklogFull, ShuttingDown: as `admit`.

        """
        self._require_open()
        self._backlog.require_room(results, request_bytes)

    def admit(
        self, size: int, request_bytes: int, caller: Hashable, caller_results_max: int | None = None
    ) -> Call:
        """Reserve room for the results of a call, before any work is done for them.

        `record` gives the room back when the results are answered, even if the caller has given up; otherwise
        `leave` does.

        Args:
            size: the number of results, valid or not.
            request_bytes: the size of the request.
            caller: whose results these are; callers take turns.
            caller_results_max: the limit of the caller's results in flight; None: it has none of its own.

        Raises:
            CallerResultsFull, BacklogFull: nothing was accepted; try again shortly.
            ShuttingDown: nothing was accepted; try another server.

        """
        self._require_open()
        self._backlog.add(caller, size, request_bytes, caller_results_max)
        return Call(caller, size, request_bytes, asyncio.get_running_loop().create_future())

    def leave(self, call: Call) -> None:
        """Give back the room of a call that is answered, or was not submitted."""
        self._backlog.remove(call.caller, call.size, call.request_bytes)

    async def record(self, call: Call, results: Sequence[JobResult]) -> list[Answer]:
        """Record the results of a call, once.

        Args:
            call: the call, which was admitted.
            results: those of its results that are valid.

        Returns:
            An answer for each result, after the commit.

        Raises:
            ShuttingDown: nothing was accepted; try another server.
            DatabaseUnavailable: it is unknown whether the results were recorded; try again.

        """
        if self._closing or not results:
            self.leave(call)
            self._require_open()
            return []
        parts = parts_of(call, results)
        call.parts_left = len(parts)
        if not self._turns.parts:
            self._gathering.before_first()
        self._turns.add(call.caller, parts)
        self._gathering.came()
        self._arrived.set()
        return await call.outcome

    async def run(self) -> None:
        """Flush group after group; return when closed and all accepted results are answered."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._arrived.wait()
            while self._turns.parts:
                if (pause := self._pace.pause_seconds(clock())) and not self._closing:
                    await asyncio.sleep(pause)
                await self._gathering.wait(self._size.work_max)
                group = self._turns.take_group(self._size.work_max, self._size.large_work_max)
                self._gathering.taken(group)
                await self._flush(group)
                self._gathering.ended(group)
                self._pace.ended(self._conflicts(), clock())
            if self._closing:
                return
            self._arrived.clear()

    def close(self) -> None:
        """Refuse new results and let `run` end."""
        self._closing = True
        self._arrived.set()

    def _require_open(self) -> None:
        if self._closing:
            raise ShuttingDown

    async def _flush(self, group: list[Part[Call]]) -> None:
        """Record a group and answer each of its parts exactly once, whatever happens."""
        work = sum(part.work for part in group)
        if work > self._size.work_max and is_divisible(group):
            await self._flush_halves(group)
        else:
            await self._flush_at_once(group, work)

    async def _flush_at_once(self, group: list[Part[Call]], work: int) -> None:
        try:
            answers = await self._record_group(group)
        except TransactionTooLarge:
            self._size.refused(work)
            await self._flush_halves(group)
        except DatabaseUnavailable:
            for part in group:
                self._fail(part.call, DatabaseUnavailable())
        except Exception as error:  # noqa: BLE001  # every caller gets an answer
            if len(group) > 1:  # a bad result must not fail the others
                for part in group:
                    await self._flush([part])
                return
            _log.error("a result cannot be recorded", exc_info=error)
            self._fail(group[0].call, error)
        else:
            self._size.recorded()
            self._answer(group, answers)

    def _answer(self, group: list[Part[Call]], answers: list[Answer]) -> None:
        first = 0
        for part in group:
            end = first + len(part.results)
            part.call.answers += answers[first:end]
            first = end
            self._end_parts(part.call, 1)

    async def _flush_halves(self, group: list[Part[Call]]) -> None:
        """Record a group in two, since the database does not take it at once."""
        if not is_divisible(group):
            self._fail(group[0].call, DatabaseUnavailable())
            return
        if len(group) == 1:  # one part becomes two
            group[0].call.parts_left += 1
        for half in halves_of(group):
            await self._flush(half)

    async def _record_group(self, group: list[Part[Call]]) -> list[Answer]:
        results = [result for part in group for result in part.results]
        clock = asyncio.get_running_loop().time
        begun = clock()
        recording = await self._record(results)
        large_work = sum(part.work for part in group if not part.is_small)
        self._size.measured(clock() - begun, large_work)
        self._changed(batch.batch_id for batch in recording.changed)
        return _answers(results, recording)

    def _fail(self, call: Call, error: Exception) -> None:
        """Answer a call for one of its parts; those that still wait are not recorded."""
        if not call.outcome.done():
            call.outcome.set_exception(error)
        self._end_parts(call, 1 + self._turns.drop(call.caller, call))

    def _end_parts(self, call: Call, number: int) -> None:
        call.parts_left -= number
        if call.parts_left:
            return
        self.leave(call)
        if not call.outcome.done():  # it failed, or was cancelled by a caller that gave up
            call.outcome.set_result(call.answers)


def _answers(results: Sequence[JobResult], recording: Recording) -> list[Answer]:
    """Return the answers to the results of a group; equal ones that follow each other are one object."""
    answers: list[Answer] = []
    last = None
    for result, verdict in zip(results, recording.verdicts, strict=True):
        if isinstance(verdict, BatchError):
            answers.append(verdict)
            continue
        key = result.batch_id, verdict
        if key != last:
            batch = recording.batches[result.batch_id]
            answer, last = Recorded(verdict, batch.state, batch.revision), key
        answers.append(answer)
    return answers
