"""Decides which reports the next call carries and what each answer means; the sender does the I/O.

    enqueue ──▶ waiting ──▶ start_call: in flight ──▶ on_response / on_failure ──▶ answered
                   ▲                                           │
                   └───────────── to the front again ◀─────────┘

At most one call is in flight: a lone report is sent at once, and the reports that arrive meanwhile share the
next call. Not thread-safe by itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


class Outbox:
    """Holds reports until the server has answered each of them.

    Args:
        buffer: where unanswered reports wait.
        log: collects what is to be logged; the sender writes it.

    """

    def __init__(self, buffer: Buffer, log: OnceLog) -> None:
        self._buffer = buffer
        self.log = log
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
    def unanswered(self) -> list[Report]:
        """Every report without an answer."""
        return list(self._buffer)

    @property
    def is_calling(self) -> bool:
        """Whether a call is in flight."""
        return bool(self._buffer.in_flight)

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        return Counts(self._recorded, dict(self._dropped), len(self._buffer))

    def enqueue(self, report: Report) -> int:
        """Accept a report.

        Returns:
            Its number.

        Raises:
            ReportNotTaken: BUFFER_FULL or CLOSED; the report is counted as dropped.

        """
        try:
            self._append(report)
        except ReportNotTaken as error:
            self.drop(error.reason, str(error))
            raise
        return self._buffer.last_number

    def recover(self, reports: Iterable[Report]) -> None:
        """Enqueue reports that an earlier process had accepted."""
        for report in reports:
            self._buffer.append_recovered(report)

    @property
    def has_room(self) -> bool:
        """Whether there is room for recovered reports."""
        return self._buffer.has_room

    @property
    def unkept(self) -> list[Entry]:
        """Unanswered reports that are not in the spool."""
        return self._buffer.unkept

    def on_spool_failure(self, error: OSError, number: int | None = None) -> None:
        """Note that the spool failed; `number` is the report that it does not keep, if it was one."""
        self.log.spool_failed(error)
        if number is not None:
            self._buffer.mark_unkept(number)

    def on_kept_later(self, number: int) -> None:
        """Note that the spool keeps a report after all."""
        self._buffer.mark_kept(number)
        if not self._buffer.unkept:
            self.log.spool_works()

    def start_call(self) -> pb.ReportJobResultsRequest:
        """Return the request of the next call, which has at least one report."""
        self._buffer.claim(self._call_reports_max)
        return pb.ReportJobResultsRequest(results=[entry.report for entry in self._buffer.in_flight])

    def on_response(self, response: pb.ReportJobResultsResponse) -> Pause:
        """Handle the answers to the call in flight, which have its order."""
        self.log.server_answers()
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
            self.log.server_unavailable(failure)
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
        self.log.report_lost(reason, message)

    def close(self) -> None:
        """Accept no more reports."""
        self._is_closed = True

    def abandon_unsent(self, *, spooled: bool) -> None:
        """Leave unanswered reports to the spool, if there is one; count those not in it as dropped."""
        unsent = len(self._buffer)
        lost = len(self._buffer.unkept) if spooled else unsent
        if unsent:
            self.log.unsent(unsent, lost)
        if lost:
            self._dropped["UNSENT"] += lost

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
        return Pause()
