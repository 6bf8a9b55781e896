"""Group commit: one transaction carries the results of hundreds of workers.

Callers append their results and wait. One flusher takes what has gathered, records it
in one transaction, and answers every caller after the commit; the next group gathers
meanwhile. A lone call is recorded at once. While calls come in company, a group is left
open until no more arrive or its first has waited GATHER_SECONDS_MAX: calls trickle out
of the transport one by one, and a transaction costs as much for ten of them as for a hundred.

    caller ──▶ pending ──▶ flusher ──▶ record (one transaction) ──▶ answers
    caller ──▶    │                          │
    caller ──▶    └── the next group ◀───────┘

The flusher is a task of its own: a caller that gives up cancels its wait, never the
transaction that carries its neighbours' results.
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
"""Results in one transaction (a single call may bring more): twice the workers we are made for, and some
20 ms of work, so that no group keeps the next one waiting for long."""

GATHER_SECONDS_MAX = 0.03
"""The longest that a call waits for others to share its transaction: some hundred come in that time, after
which a transaction's fixed cost is a tenth of what the calls cost by themselves (docs/decisions/0006)."""
GATHER_STEP_SECONDS = 0.002
"""No arrival for so long ends the wait: on a busy server several calls arrive in it."""

_log = structlog.get_logger()

Record = Callable[[Sequence[JobResult]], Awaitable[Recording]]
"""Records results in one transaction, committed when it returns; raises DatabaseUnavailable."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a result, and the batch after the group it was recorded in."""

    disposition: Disposition
    batch_state: BatchState
    revision: int


Answer = Recorded | BatchError


@dataclass(frozen=True, slots=True)
class _Entry:
    """The results of one call and the future its caller waits for."""

    results: Sequence[JobResult]
    answers: asyncio.Future[list[Answer]]
    ended: Callable[[], None]
    """Told when the group has answered, which a caller that gave up does not wait for."""
    arrival_seconds: float
    """On the loop's clock."""


class GroupCommit:
    """Takes results from any number of callers and records them in groups."""

    def __init__(
        self, record: Record, changed: Callable[[Iterable[str]], None], *, backlog_results_max: int
    ) -> None:
        """Take what records a group, and what is told the ids of the batches it changed."""
        self._record = record
        self._changed = changed
        self._backlog_results_max = backlog_results_max
        self._pending: deque[_Entry] = deque()
        self._backlog_results = 0
        self._arrived = asyncio.Event()
        self._in_company = False
        self._closing = False

    @property
    def backlog_results(self) -> int:
        """Results that were taken and are not answered yet."""
        return self._backlog_results

    async def submit(
        self, results: Sequence[JobResult], ended: Callable[[], None] = lambda: None
    ) -> list[Answer]:
        """Record results and return an answer for each, after the commit.

        `ended` is called once they are under way no more: with the answer even if the caller gave up
        long before, or at once if they are not taken.

        Raises:
            BacklogFull: nothing was taken; try again shortly.
            ShuttingDown: nothing was taken; try another server.
            DatabaseUnavailable: the outcome is unknown; try again.

        """
        try:
            self.require_room(len(results))
        except (BacklogFull, ShuttingDown):
            ended()
            raise
        loop = asyncio.get_running_loop()
        entry = _Entry(results, loop.create_future(), ended, loop.time())
        self._backlog_results += len(results)
        self._pending.append(entry)
        self._arrived.set()
        return await entry.answers

    def require_room(self, results: int) -> None:
        """Fail if so many results would not be taken now: asked before work is put into reading them.

        Raises:
            BacklogFull, ShuttingDown: as `submit`.

        """
        if self._closing:
            raise ShuttingDown
        if self._backlog_results + results > self._backlog_results_max:
            raise BacklogFull

    async def run(self) -> None:
        """Flush group after group; returns once closed and everything taken is answered."""
        while True:
            await self._arrived.wait()
            while self._pending:
                await self._gather()
                group = self._next_group()
                self._in_company = len(group) > 1
                await self._flush(group)
            if self._closing:
                return
            self._arrived.clear()

    def close(self) -> None:
        """Refuse new results and let `run` end."""
        self._closing = True
        self._arrived.set()

    async def _gather(self) -> None:
        """Leave the group open while calls keep coming, if the last one's had company."""
        clock = asyncio.get_running_loop().time
        close = self._pending[0].arrival_seconds + GATHER_SECONDS_MAX
        seen = 0 if self._in_company else len(self._pending)
        while seen < len(self._pending) and self._backlog_results < GROUP_RESULTS_MAX and clock() < close:
            seen = len(self._pending)
            await asyncio.sleep(GATHER_STEP_SECONDS)

    def _next_group(self) -> list[_Entry]:
        """Take whole calls from the front, up to the size of a group, but always one."""
        group: list[_Entry] = []
        size = 0
        while self._pending and (not group or size + len(self._pending[0].results) <= GROUP_RESULTS_MAX):
            entry = self._pending.popleft()
            group.append(entry)
            size += len(entry.results)
        return group

    async def _flush(self, group: list[_Entry]) -> None:
        """Record a group and end each of its calls, once, whatever happens."""
        try:
            answers = await self._record_group(group)
        except DatabaseUnavailable:
            for entry in group:
                self._end(entry, DatabaseUnavailable())
        except Exception as error:  # noqa: BLE001  # whatever it is, every caller gets an answer
            if len(group) > 1:  # one bad result never fails its neighbours
                for entry in group:
                    await self._flush([entry])
                return
            _log.error("a result cannot be recorded", exc_info=error)
            self._end(group[0], error)
        else:
            for entry in group:
                self._end(entry, [next(answers) for _ in entry.results])

    async def _record_group(self, group: list[_Entry]) -> Iterator[Answer]:
        results = [result for entry in group for result in entry.results]
        recording = await self._record(results)
        self._changed(batch.batch_id for batch in recording.changed)
        return iter([*_answers(results, recording)])  # all of them, before the first caller is answered

    def _end(self, entry: _Entry, outcome: list[Answer] | Exception) -> None:
        self._backlog_results -= len(entry.results)
        entry.ended()
        if entry.answers.done():  # a caller that gave up has cancelled it
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
