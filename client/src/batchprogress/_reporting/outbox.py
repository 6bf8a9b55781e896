"""What is sent next and what each answer means: shared by Reporter and AsyncReporter, which do the I/O.

    put ──▶ waiting ──▶ begin: the call under way ──▶ answer / fail ──▶ settled
                ▲                                          │
                └──────────── once more, in front ◀────────┘

At most one call is under way: a lone report is sent at once, and what gathers meanwhile goes in the
next call. Not safe for threads by itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grpc

from batchprogress._grpc.retry import RETRIED_CODES, Failure, backoff_seconds
from batchprogress._reporting.buffer import CALL_REPORTS_MAX, Buffer, Entry, Report
from batchprogress._reporting.once_log import Notices
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

_RETRIED_NUMBERS = frozenset(code.value[0] for code in RETRIED_CODES)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the reports of one process."""

    recorded: int
    """Answered: counted by the server, now or at an earlier try."""
    dropped: Mapping[str, int]
    """Never counted, by reason: BUFFER_FULL, CLOSED, UNSENT (at the end), or the server's, as BATCH_FULL."""
    pending: int
    """Not answered yet."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait before the next call."""

    seconds: float = 0.0
    hurried: bool = True
    """Whether who waits for the answers may end it: not one that the server asked for."""


class Keeper(Protocol):
    """Where reports outlive their process: a Spool."""

    has_left_some: bool
    """Whether `adopt` had no room for all."""

    def keep(self, report: Report, unsettled: Buffer) -> None:
        """Keep a report that was put."""

    def adopt(self) -> list[Report]:
        """Return the reports that processes which are gone have left."""

    def clear(self) -> None:
        """Forget all that was kept or adopted."""

    def close(self) -> None:
        """Leave what is kept to the next process."""

    def forget(self) -> None:
        """After a fork, in the child: let go of what is the parent's."""


class Outbox:
    """Holds reports until the server has answered for each."""

    def __init__(self, buffer: Buffer, notices: Notices, keeper: Keeper | None = None) -> None:
        """Take where reports wait, what tells of trouble, and what keeps them over the process's end."""
        self._buffer = buffer
        self._notices = notices
        self._keeper = keeper
        self._call_reports_max = CALL_REPORTS_MAX
        self._tries = 0
        self._recorded = 0
        self._dropped: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._closed = False

    @property
    def newest(self) -> int:
        """The number of the report that was put last."""
        return self._buffer.newest

    @property
    def has_waiting(self) -> bool:
        """Whether there is something for a next call."""
        return self._buffer.has_waiting

    @property
    def is_calling(self) -> bool:
        """Whether a call is under way."""
        return bool(self._buffer.under_way)

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        return Counts(self._recorded, dict(self._dropped), len(self._buffer))

    def put(self, report: Report) -> None:
        """Take a report.

        Raises:
            ReportNotTaken: BUFFER_FULL or CLOSED; it is counted.

        """
        try:
            self._put(report)
        except ReportNotTaken as error:
            self.drop(error.reason, str(error))
            raise
        self._with_keeper(lambda keeper: keeper.keep(report, self._buffer))

    def adopt(self) -> None:
        """Take over what processes that are gone have left in the spool."""
        self._with_keeper(self._adopt_from)

    def begin(self) -> pb.ReportJobResultsRequest:
        """Begin a call; its request is at least one report."""
        self._buffer.take(self._call_reports_max)
        return pb.ReportJobResultsRequest(results=[entry.report for entry in self._buffer.under_way])

    def answer(self, response: pb.ReportJobResultsResponse) -> Pause:
        """Take the answers to the call under way, in its order."""
        self._notices.back()
        unanswered = [
            entry
            for entry, result in zip(self._buffer.under_way, response.results, strict=False)
            if not self._is_answered(entry, result)
        ]
        unanswered += self._buffer.under_way[len(response.results) :]
        self._call_reports_max = min(CALL_REPORTS_MAX, self._call_reports_max * 2)
        return self._settle(unanswered)

    def fail(self, failure: Failure) -> Pause:
        """Take the failure of the call under way."""
        calling = self._buffer.under_way
        if failure.is_retried:
            self._notices.away(failure)
            if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED:  # there is room for a smaller call sooner
                self._call_reports_max = max(1, len(calling) // 2)
            self._buffer.settle(calling)
            self._tries += 1
            return Pause(failure.delay_seconds(self._tries - 1), hurried=not failure.retry_seconds)
        if len(calling) > 1:  # one bad report must not fail its neighbours: halve until it is alone
            self._call_reports_max = len(calling) // 2
            self._buffer.settle(calling)
            return Pause()
        self._refuse(failure.reason or failure.code.name, failure.message)
        self._call_reports_max = min(CALL_REPORTS_MAX, self._call_reports_max * 2)
        return self._settle([])

    def put_back(self) -> None:
        """Take that the call under way was given up."""
        self._buffer.settle(self._buffer.under_way)

    def hurry(self) -> None:
        """Let the delays begin anew: somebody waits."""
        self._tries = 0

    def is_settled(self, number: int) -> bool:
        """Whether every report up to this number is done with."""
        return self._buffer.is_settled(number)

    def take_refused(self) -> dict[str, int]:
        """Return how many reports the server refused, by reason, since this was asked last."""
        refused, self._refused = self._refused, Counter()
        return dict(refused)

    def drop(self, reason: str, message: str, number: int = 1) -> None:
        """Count reports that will never be counted by the server."""
        self._dropped[reason] += number
        self._notices.once(reason, message)

    def shut(self) -> None:
        """Take no more reports."""
        self._closed = True

    def give_up(self) -> None:
        """Count what is unsent as lost, unless a spool keeps it."""
        unsent = len(self._buffer)
        if unsent:
            self._notices.unsent(unsent, spooled=self._keeper is not None)
            if self._keeper is None:
                self._dropped["UNSENT"] += unsent
        self._with_keeper(lambda keeper: keeper.close())

    def forget(self) -> None:
        """After a fork, in the child: all of it is the parent's."""
        self._with_keeper(lambda keeper: keeper.forget())

    def _put(self, report: Report) -> None:
        if self._closed:
            raise ReportNotTaken("CLOSED", "the reporter is closed")
        self._buffer.put(report)

    def _is_answered(self, entry: Entry, result: pb.ReportedResult) -> bool:
        if not result.HasField("error"):
            self._recorded += 1
            return True
        if result.error.code in _RETRIED_NUMBERS:
            return False
        self._refuse(result.error.reason, f"{result.error.message} (job {entry.report.job_id!r})")
        return True

    def _refuse(self, reason: str, message: str) -> None:
        self._refused[reason] += 1
        self.drop(reason, message)

    def _settle(self, unanswered: list[Entry]) -> Pause:
        self._buffer.settle(unanswered)
        if unanswered:
            self._tries += 1
            return Pause(backoff_seconds(self._tries - 1))
        self._tries = 0
        if not self._buffer:
            self._with_keeper(self._clear)
        return Pause()

    def _clear(self, keeper: Keeper) -> None:
        """Let the spool forget what is settled, and take what it had no room for."""
        keeper.clear()
        if keeper.has_left_some:
            self._adopt_from(keeper)

    def _adopt_from(self, keeper: Keeper) -> None:
        for report in keeper.adopt():
            self._buffer.put_beyond_bounds(report)

    def _with_keeper(self, use: Callable[[Keeper], None]) -> None:
        """Use the spool, if there is one; without it reports still have the memory."""
        if self._keeper is not None:
            try:
                use(self._keeper)
            except OSError as error:
                self._notices.spool_failed(error)


def new_outbox(target: str, folder: Path | None, reports_max: int) -> Outbox:
    """Return an empty outbox."""
    keeper = None
    if folder is not None:
        from batchprogress._reporting.spool import Spool  # noqa: PLC0415  # needs flock: not on Windows

        keeper = Spool(folder)
    return Outbox(Buffer(reports_max), Notices(target), keeper)
