"""Group commit: one transaction carries the results of hundreds of workers.

Callers append their results and wait. One flusher records all pending results in one
transaction and answers every caller after the commit; the next group gathers meanwhile. A
lone call is recorded at once. If the last group had several calls, the next one stays open
until no more arrive or its first call has waited GATHER_SECONDS_MAX: calls come out of the
transport one by one, and a transaction for ten of them costs as much as one for a hundred.

    caller ──▶ pending ──▶ flusher ──▶ record (one transaction) ──▶ answers
    caller ──▶    │                          │
    caller ──▶    └── the next group ◀───────┘

The flusher is a task of its own: a caller that gives up cancels its wait, but never the
transaction, which carries the results of other callers too.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from batches.batch import BatchState
from batches.errors import BatchError, DatabaseUnavailable
from batches.recording import Recording
from batches.result import Disposition, JobResult
from services.progress.errors import BacklogFull, ShuttingDown

GROUP_RESULTS_MAX = 2_000
"""Results in one transaction (a single call may have more): twice the number of workers we are made for, and
some 20 ms of work, so that no group delays the next one for long."""

RESULT_BYTES = 336
"""The bytes of requests that may wait for each result of the backlog: 32 MiB for 100,000, with errors of 280
characters each. A waiting request takes up to five times its size: its bytes, its message, its results."""

GATHER_SECONDS_MAX = 0.03
"""How long a call may wait for others to share its transaction. Some hundred calls arrive in that time, with
which the fixed cost of a transaction is a tenth of the cost of its calls (docs/decisions/0006)."""
GATHER_STEP_SECONDS = 0.002
"""The wait ends if no call arrives for this long; on a busy server several do."""

_log = structlog.get_logger()

Record = Callable[[Sequence[JobResult]], Awaitable[Recording]]
"""Records results in one transaction, committed when it returns; raises DatabaseUnavailable."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The disposition of a result, and its batch after the group was recorded."""

    disposition: Disposition
    batch_state: BatchState
    revision: int


Answer = Recorded | BatchError


@dataclass(frozen=True, slots=True)
class _Entry:
    """The results of one call, and the future that its caller waits for."""

    results: Sequence[JobResult]
    answers: asyncio.Future[list[Answer]]
    release: Callable[[], None]
    """Called when the results are answered, even if the caller has given up."""
    arrival_seconds: float
    """On the clock of the event loop."""
    request_bytes: int


class GroupCommit:
    """Records the results of any number of callers in groups.

    Args:
        record: records a group.
        changed: gets the ids of the batches that a group has changed.
        backlog_results_max: results that may wait.

    """

    def __init__(
        self, record: Record, changed: Callable[[Iterable[str]], None], *, backlog_results_max: int
    ) -> None:
        self._record = record
        self._changed = changed
        self._backlog_results_max = backlog_results_max
        self._pending: deque[_Entry] = deque()
        self._backlog_bytes_max = backlog_results_max * RESULT_BYTES
        self._backlog_results = 0
        self._backlog_bytes = 0
        self._arrived = asyncio.Event()
        self._has_company = False
        self._closing = False

    @property
    def backlog_results(self) -> int:
        """Results that were accepted and are not answered yet."""
        return self._backlog_results

    async def submit(
        self,
        results: Sequence[JobResult],
        release: Callable[[], None] = lambda: None,
        *,
        request_bytes: int = 0,
    ) -> list[Answer]:
        """Record results.

        Args:
            results: the results of one call.
            release: called once, when the results are no longer in flight: when they are answered, even if
                the caller has given up, or at once if they are not accepted.
            request_bytes: the size of the call's request.

        Returns:
            An answer for each result, after the commit.

        Raises:
            BacklogFull: nothing was accepted; try again shortly.
            ShuttingDown: nothing was accepted; try another server.
            DatabaseUnavailable: it is unknown whether the results were recorded; try again.

        """
        try:
            self.require_room(len(results), request_bytes)
        except (BacklogFull, ShuttingDown):
            release()
            raise
        loop = asyncio.get_running_loop()
        entry = _Entry(results, loop.create_future(), release, loop.time(), request_bytes)
        self._backlog_results += len(results)
        self._backlog_bytes += request_bytes
        self._pending.append(entry)
        self._arrived.set()
        return await entry.answers

    def require_room(self, results: int, request_bytes: int) -> None:
        """Check that results would be accepted now, before any work is done for them.

        Args:
            results: their number, or less.
            request_bytes: the size of the request that has them; one alone may have any size.

        Raises:
            BacklogFull, ShuttingDown: as `submit`.

        """
        if self._closing:
            raise ShuttingDown
        if self._backlog_results + results > self._backlog_results_max:
            raise BacklogFull
        if self._backlog_bytes and self._backlog_bytes + request_bytes > self._backlog_bytes_max:
            raise BacklogFull

    async def run(self) -> None:
        """Flush group after group; return when closed and all accepted results are answered."""
        while True:
            await self._arrived.wait()
            while self._pending:
                await self._gather()
                group = self._next_group()
                self._has_company = len(group) > 1
                await self._flush(group)
            if self._closing:
                return
            self._arrived.clear()

    def close(self) -> None:
        """Refuse new results and let `run` end."""
        self._closing = True
        self._arrived.set()

    async def _gather(self) -> None:
        """Leave the group open while calls keep coming, if the last group had several calls."""
        clock = asyncio.get_running_loop().time
        close = self._pending[0].arrival_seconds + GATHER_SECONDS_MAX
        seen = 0 if self._has_company else len(self._pending)
        while seen < len(self._pending) and self._backlog_results < GROUP_RESULTS_MAX and clock() < close:
            seen = len(self._pending)
            await asyncio.sleep(GATHER_STEP_SECONDS)

    def _next_group(self) -> list[_Entry]:
        """Remove whole calls from the front of the queue, up to the size of a group, but at least one."""
        group: list[_Entry] = []
        size = 0
        while self._pending and (not group or size + len(self._pending[0].results) <= GROUP_RESULTS_MAX):
            entry = self._pending.popleft()
            group.append(entry)
            size += len(entry.results)
        return group

    async def _flush(self, group: list[_Entry]) -> None:
        """Record a group and answer each of its calls exactly once, whatever happens."""
        try:
            answers = await self._record_group(group)
        except DatabaseUnavailable:
            for entry in group:
                self._answer(entry, DatabaseUnavailable())
        except Exception as error:  # noqa: BLE001  # every caller gets an answer
            if len(group) > 1:  # a bad result must not fail the others
                for entry in group:
                    await self._flush([entry])
                return
            _log.error("a result cannot be recorded", exc_info=error)
            self._answer(group[0], error)
        else:
            for entry in group:
                self._answer(entry, [next(answers) for _ in entry.results])

    async def _record_group(self, group: list[_Entry]) -> Iterator[Answer]:
        results = [result for entry in group for result in entry.results]
        recording = await self._record(results)
        self._changed(batch.batch_id for batch in recording.changed)
        return iter([*_answers(results, recording)])  # complete before the first caller is answered

    def _answer(self, entry: _Entry, outcome: list[Answer] | Exception) -> None:
        self._backlog_results -= len(entry.results)
        self._backlog_bytes -= entry.request_bytes
        entry.release()
        if entry.answers.done():  # cancelled by a caller that gave up
            return
        if isinstance(outcome, Exception):
            entry.answers.set_exception(outcome)
        else:
            entry.answers.set_result(outcome)


def _answers(results: Sequence[JobResult], recording: Recording) -> Iterator[Answer]:
    for result, verdict in zip(results, recording.verdicts, strict=True):
        if isinstance(verdict, BatchError):
            yield verdict
        else:
            batch = recording.batches[result.batch_id]
            yield Recorded(verdict, batch.state, batch.revision)
