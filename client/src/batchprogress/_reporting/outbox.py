"""Decides which reports the next call carries and what each answer means; the sender does the I/O.

    enqueue ──▶ waiting ──▶ start_call: in flight ──▶ on_response / on_failure ──▶ answered
                   ▲                                           │
                   └───────────── to the front again ◀─────────┘

At most one call is in flight: a lone report is sent at once, and the reports that arrive meanwhile share the
next call. Not thread-safe by itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import grpc

from batchprogress._grpc.retry import RETRIED_CODES, Failure, backoff_seconds
from batchprogress._reporting.buffer import CALL_REPORTS_MAX, Buffer, Entry, Report
from batchprogress._reporting.once_log import OnceLog
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

_RETRIED_NUMBERS = frozenset(code.value[0] for code in RETRIED_CODES)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a reporter's reports in this process."""

    recorded: int
    """Reports that the server has counted, with this try or an earlier one."""
    dropped: Mapping[str, int]
    """Reports that will never be counted, by reason: BUFFER_FULL, CLOSED, UNSENT (when the reporter closed),
    or a reason of the server, such as BATCH_FULL."""
    pending: int
    """Reports that are not answered yet."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait before the next call."""

    seconds: float = 0.0
    is_interruptible: bool = True
    """Whether flush() may cut it short; not if the server asked for it."""


class Spool(Protocol):
    """Keeps reports beyond the end of their process."""

    has_more: bool
    """Whether `recover` left files for a later call."""

    def append(self, report: Report, unanswered: Buffer) -> None:
        """Keep a report."""

    def recover(self) -> list[Report]:
        """Return reports that earlier processes left."""

    def clear(self) -> None:
        """Remove every report that was kept or recovered."""

    def close(self) -> None:
        """Leave the kept reports to the next process."""

    def close_in_child(self) -> None:
        """Leave the files to the parent of this forked process."""


class Outbox:
    """Holds reports until the server has answered each of them.

    Args:
        buffer: where unanswered reports wait.
        log: where problems are logged.
        spool: where reports are kept beyond the end of the process; None keeps them in memory only.

    """

    def __init__(self, buffer: Buffer, log: OnceLog, spool: Spool | None = None) -> None:
        self._buffer = buffer
        self._log = log
        self._spool = spool
        self._call_reports_max = CALL_REPORTS_MAX
        self._failures = 0
        self._recorded = 0
        self._dropped: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._is_closed = False

    @property
    def last_number(self) -> int:
        """The number of the newest report."""
        return self._buffer.last_number

    @property
    def has_waiting(self) -> bool:
        """Whether there is a report for the next call."""
        return self._buffer.has_waiting

    @property
    def is_calling(self) -> bool:
        """Whether a call is in flight."""
        return bool(self._buffer.in_flight)

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        return Counts(self._recorded, dict(self._dropped), len(self._buffer))

    def enqueue(self, report: Report) -> None:
        """Accept a report.

        Raises:
            ReportNotTaken: BUFFER_FULL or CLOSED; the report is counted as dropped.

        """
        try:
            self._append(report)
        except ReportNotTaken as error:
            self.drop(error.reason, str(error))
            raise
        self._with_spool(lambda spool: spool.append(report, self._buffer))

    def recover(self) -> None:
        """Enqueue the reports that earlier processes left in the spool."""
        self._with_spool(self._recover_from)

    def start_call(self) -> pb.ReportJobResultsRequest:
        """Return the request of the next call, which has at least one report."""
        self._buffer.claim(self._call_reports_max)
        return pb.ReportJobResultsRequest(results=[entry.report for entry in self._buffer.in_flight])

    def on_response(self, response: pb.ReportJobResultsResponse) -> Pause:
        """Handle the answers to the call in flight, which have its order."""
        self._log.server_answers()
        in_flight = self._buffer.in_flight
        unanswered = [
            entry
            for entry, result in zip(in_flight, response.results, strict=False)
            if not self._is_answer(entry, result)
        ]
        self._call_reports_max = min(CALL_REPORTS_MAX, self._call_reports_max * 2)
        return self._finish_call(unanswered + in_flight[len(response.results) :])

    def on_failure(self, failure: Failure) -> Pause:
        """Handle the failure of the call in flight."""
        in_flight = self._buffer.in_flight
        if failure.is_retried:
            self._log.server_unavailable(failure)
            if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED:  # a smaller call finds room sooner
                self._call_reports_max = max(1, len(in_flight) // 2)
            self._buffer.finish_call(in_flight)
            self._failures += 1
            return Pause(failure.delay_seconds(self._failures - 1), not failure.retry_seconds)
        if len(in_flight) > 1:  # one bad report must not fail its neighbours: halve until it is alone
            self._call_reports_max = len(in_flight) // 2
            self._buffer.finish_call(in_flight)
            return Pause()
        self._refuse(failure.reason or failure.code.name, failure.message)
        self._call_reports_max = min(CALL_REPORTS_MAX, self._call_reports_max * 2)
        return self._finish_call([])

    def reset_backoff(self) -> None:
        """Make the next delay as short as the first one."""
        self._failures = 0

    def is_answered(self, number: int) -> bool:
        """Whether every report up to this number has its answer."""
        return self._buffer.is_answered(number)

    def pop_refused(self) -> dict[str, int]:
        """Return how many reports the server refused since the last call, by reason."""
        refused, self._refused = self._refused, Counter()
        return dict(refused)

    def drop(self, reason: str, message: str) -> None:
        """Count a report as dropped."""
        self._dropped[reason] += 1
        self._log.report_lost(reason, message)

    def close(self) -> None:
        """Accept no more reports."""
        self._is_closed = True

    def abandon_unsent(self) -> None:
        """Leave unanswered reports to the spool; without one, count them as dropped."""
        if unsent := len(self._buffer):
            self._log.unsent(unsent, spooled=self._spool is not None)
            if self._spool is None:
                self._dropped["UNSENT"] += unsent
        self._with_spool(lambda spool: spool.close())

    def abandon_in_child(self) -> None:
        """Leave everything to the parent of this forked process."""
        self._with_spool(lambda spool: spool.close_in_child())

    def _append(self, report: Report) -> None:
        if self._is_closed:
            raise ReportNotTaken("CLOSED", "the reporter is closed")
        self._buffer.append(report)

    def _is_answer(self, entry: Entry, result: pb.ReportedResult) -> bool:
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

    def _finish_call(self, unanswered: list[Entry]) -> Pause:
        self._buffer.finish_call(unanswered)
        if unanswered:
            self._failures += 1
            return Pause(backoff_seconds(self._failures - 1))
        self._failures = 0
        if not self._buffer:
            self._with_spool(self._clear)
        return Pause()

    def _clear(self, spool: Spool) -> None:
        spool.clear()
        if spool.has_more:
            self._recover_from(spool)

    def _recover_from(self, spool: Spool) -> None:
        for report in spool.recover():
            self._buffer.append_recovered(report)

    def _with_spool(self, use: Callable[[Spool], None]) -> None:
        """Use the spool, if there is one; if it fails, reports are still in memory."""
        if self._spool is not None:
            try:
                use(self._spool)
            except OSError as error:
                self._log.spool_failed(error)
