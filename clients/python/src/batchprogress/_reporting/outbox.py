"""Decides which reports the next call carries and what each answer means; the sender does the I/O.

    enqueue ──▶ waiting ──▶ start_call: in flight ──▶ on_response / on_failure ──▶ answered
                   ▲                                           │
                   └───────────── to the front again ◀─────────┘

At most one call is in flight: a lone report is sent at once, and the reports that arrive meanwhile share the
next call. Not thread-safe by itself.

Only our server refuses a report. A call that a proxy before it has refused or cut is halved until one report
is alone. If that does not pass either, it is deferred: the others overtake it, and it is tried again seldom.
So a proxy that never lets one report pass holds up no other one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from batchprogress._grpc.retry import RETRIED_CODES, Failure
from batchprogress._reporting.buffer import Buffer, Entry, Report
from batchprogress._reporting.call_pace import CallPace, DeferredPace, Pause
from batchprogress._reporting.cancelled_batches import CancelledBatches
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
    DISABLED (by BATCHPROGRESS_DISABLED), or a reason of the server, such as BATCH_FULL."""
    pending: int
    """Reports that are not answered yet."""


class Outbox:
    """Holds reports until the server has answered each of them.

    Args:
        buffer: where unanswered reports wait.
        log: collects what is to be logged; the sender writes it.
        clock: the time in seconds.
        cancelled_batches: where the states of batches are noted, which the answers carry.

    """

    def __init__(
        self,
        buffer: Buffer,
        log: OnceLog,
        clock: Callable[[], float],
        cancelled_batches: CancelledBatches,
    ) -> None:
        self._buffer = buffer
        self.log = log
        self._clock = clock
        self.cancelled_batches = cancelled_batches
        self._pace = CallPace()
        self._deferred = DeferredPace()
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
        """Whether there is a report for the next call now."""
        return self._buffer.has_waiting or self.seconds_to_deferred == 0.0

    @property
    def seconds_to_deferred(self) -> float | None:
        """How many seconds to wait until a deferred report is sent again; None if there is none."""
        return self._deferred.seconds_left(self._clock()) if self._buffer.has_deferred else None

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
    def reports_max(self) -> int:
        """How many unanswered reports it holds."""
        return self._buffer.reports_max

    @property
    def has_room(self) -> bool:
        """Whether there is room for recovered reports."""
        return self._buffer.has_room

    @property
    def has_room_for_new(self) -> bool:
        """Whether new reports are accepted, and half of the buffer is free for them."""
        return not self._is_closed and self._buffer.has_room

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
        if self.seconds_to_deferred == 0.0:
            self._buffer.claim(self._deferred.size.reports_max, deferred=True)
        else:
            self._buffer.claim(self._pace.size.reports_max)
        return pb.ReportJobResultsRequest(results=[entry.report for entry in self._buffer.in_flight])

    def on_response(self, response: pb.ReportJobResultsResponse) -> Pause:
        """Handle the answers to the call in flight, which have its order."""
        self.log.server_answers()
        in_flight = self._buffer.in_flight
        results = list(response.results)  # reading each of them once is what costs most here
        self._note_states(in_flight, results)
        unanswered = [
            entry
            for entry, result in zip(in_flight, results, strict=False)
            if not self._is_answer(entry, result)
        ]
        return self._finish_call(unanswered + in_flight[len(results) :])

    def on_failure(self, failure: Failure) -> Pause:
        """Handle the failure of the call in flight."""
        if failure.refuses_reports:
            return self._on_refusal(failure)
        if self._buffer.sends_deferred:
            return self._on_deferred_failure(failure)
        self.log.server_unavailable(failure, self._clock())
        in_flight, others_wait = self._buffer.in_flight, self._buffer.has_waiting
        if len(in_flight) == 1 and others_wait and failure.may_pass_in_parts:
            self._buffer.defer()
            self._deferred.failed(self._clock())
        else:
            self._buffer.finish_call(in_flight)
        return self._pace.failed(failure, len(in_flight), others_wait=others_wait)

    def reset_backoff(self) -> None:
        """Make the next delay as short as the first one, and send deferred reports now."""
        self._pace.reset()
        self._deferred.try_now(self._clock())

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
        message = f"{result.error.message} (job {entry.report.job_id!r})"
        self._refuse(result.error.reason, message, entry.report.batch_id)
        return True

    def _note_states(self, in_flight: list[Entry], results: list[pb.ReportedResult]) -> None:
        """Note the newest state of each batch in a response; errors have none."""
        found = {result.batch_state for result in results}
        if self.cancelled_batches.is_empty and pb.BATCH_STATE_CANCELLED not in found:
            return  # nearly always; what follows takes four times as long
        states = {
            entry.report.batch_id: result.batch_state
            for entry, result in zip(in_flight, results, strict=False)
            if result.batch_state
        }
        for batch_id, state in states.items():
            self.cancelled_batches.note(batch_id, is_cancelled=state == pb.BATCH_STATE_CANCELLED)

    def _refuse(self, reason: str, message: str, batch_id: str) -> None:
        self._refused[reason] += 1
        self._dropped[reason] += 1
        self.log.report_refused(reason, message, batch_id)

    def _on_refusal(self, failure: Failure) -> Pause:
        """Find the report that the server refuses: one bad report must not fail its neighbours."""
        in_flight = self._buffer.in_flight
        if len(in_flight) > 1:
            (self._deferred if self._buffer.sends_deferred else self._pace).size.halve(len(in_flight))
            self._buffer.finish_call(in_flight)
            return Pause()
        self._refuse(failure.reason, failure.message, in_flight[0].report.batch_id)
        return self._finish_call([])

    def _on_deferred_failure(self, failure: Failure) -> Pause:
        """Try deferred reports again later; meanwhile the others go on."""
        in_flight = self._buffer.in_flight
        if len(in_flight) == 1 and failure.may_pass_in_parts:
            self.log.report_deferred(failure)
            self._buffer.defer()
        else:
            self._buffer.finish_call(in_flight)
        self._deferred.failed(self._clock(), failure.retry_seconds)
        return Pause()

    def _finish_call(self, unanswered: list[Entry]) -> Pause:
        """End a call that the server has answered."""
        reports = len(self._buffer.in_flight)
        self._buffer.finish_call(unanswered)
        is_complete = not unanswered
        if self._buffer.sends_deferred:
            self._deferred.answered(self._clock(), is_complete=is_complete)
            return Pause()
        if self._pace.has_failed:  # deferred reports may have waited for the same
            self._deferred.try_now(self._clock())
        return self._pace.answered(reports, is_complete=is_complete)
