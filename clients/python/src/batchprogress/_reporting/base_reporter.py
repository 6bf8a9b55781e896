"""What Reporter and AsyncReporter have in common: one sender in each process."""

import time
from pathlib import Path
from typing import Any

from batchprogress._disabled import is_disabled
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._process.at_fork import survive_forks
from batchprogress._reporting.buffer import BUFFER_REPORTS_MAX, Buffer, Report
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress._reporting.job import Cancelled
from batchprogress._reporting.no_sender import NoSender
from batchprogress._reporting.once_log import OnceLog
from batchprogress._reporting.outbox import Counts, Outbox
from batchprogress._reporting.report_methods import ReportMethods
from batchprogress._reporting.sender import Sender
from batchprogress.errors import ReportNotTaken, ReportsRefused, ReportsUnsent
from batchprogress.v1 import progress_pb2 as pb

EXIT_SECONDS_MAX = 5.0
"""How long an exit waits for answers: a server restarts in less, and no orchestrator kills so soon."""


class BaseReporter(ReportMethods):
    """Sends reports from a thread of its own; see Reporter for the arguments."""

    def __init__(  # noqa: PLR0913  # options, by keyword only
        self,
        target: str,
        batch_id: str | None = None,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        spool: str | Path | None = None,
        strict: bool = False,
        cancelled: Cancelled = "pending",
        error_details: bool = True,
        reports_max: int = BUFFER_REPORTS_MAX,
        exit_seconds_max: float = EXIT_SECONDS_MAX,
    ) -> None:
        super().__init__(
            batch_id, CancelledBatches(), strict=strict, cancelled=cancelled, error_details=error_details
        )
        self._connection = Connection(target, credentials, token)
        self._spool_folder = None if spool is None else Path(spool)
        self._reports_max = reports_max
        self._exit_seconds_max = exit_seconds_max
        self._disabled = is_disabled()
        self._sender = self._new_sender()
        survive_forks(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to report as this one does; reports that wait stay here."""
        return {
            "connection": self._connection,
            "batch_id": self._batch_id,
            "spool": self._spool_folder,
            "strict": self._strict,
            "cancelled": self._cancelled,
            "error_details": self._error_details,
            "reports_max": self._reports_max,
            "exit_seconds_max": self._exit_seconds_max,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with an empty buffer."""
        connection: Connection = state.pop("connection")
        BaseReporter.__init__(
            self, connection.target, credentials=connection.credentials, token=connection.token, **state
        )

    @property
    def counts(self) -> Counts:
        """What became of the reports of this process."""
        return self._sender.counts

    @property
    def connection(self) -> Connection:
        """How the server is reached."""
        return self._connection

    @property
    def strict(self) -> bool:
        """Whether problems with reports are raised."""
        return self._strict

    @property
    def error_details(self) -> bool:
        """Whether the stack traces of exceptions are sent."""
        return self._error_details

    @property
    def disabled(self) -> bool:
        """Whether BATCHPROGRESS_DISABLED has switched reporting off: reports are accepted and dropped."""
        return self._disabled

    def start(self) -> None:
        """Start the thread now instead of with the first report; it sends what earlier processes left.

        Example:
            >>> reporter = Reporter("progress:50051", spool="spool")
            >>> reporter.start()

        """
        self._sender.start()

    def before_fork(self) -> None:
        """Called by the fork hooks only."""
        self._sender.before_fork()

    def after_fork_in_parent(self) -> None:
        """Called by the fork hooks only."""
        self._sender.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Called by the fork hooks only."""
        parent, self._sender = self._sender, self._new_sender()
        parent.after_fork_in_child()

    def _report_plain(
        self,
        outcome: pb.JobOutcome.ValueType,
        job_id: str,
        batch_id: str | None,
        attempt: int,
        display_name: str,
    ) -> None:
        named = batch_id or self._batch_id or ""
        # A strict reporter has to say at once what is wrong with a report.
        if self._strict or not self._sender.put(outcome, job_id, named, attempt, display_name):
            self._report(outcome, job_id, named, attempt, display_name)

    def _enqueue(self, report: Report) -> None:
        self._sender.enqueue(report)

    def _drop(self, error: ReportNotTaken) -> None:
        self._sender.drop(error.reason, str(error))

    def _checked(self, *, is_flushed: bool) -> bool:
        """Return whether every report was answered; if strict, raise what went wrong instead."""
        refused = self._sender.pop_refused()
        if self._strict and refused:
            raise ReportsRefused(refused)
        if self._strict and not is_flushed:
            raise ReportsUnsent(self.counts.pending)
        return is_flushed

    def _new_sender(self) -> Sender | NoSender:
        if self._disabled:
            return NoSender()
        spool = None
        if self._spool_folder is not None:
            from batchprogress._reporting.spool import FileSpool  # noqa: PLC0415  # Windows has no flock

            spool = FileSpool(self._spool_folder)
        outbox = Outbox(
            Buffer(self._reports_max),
            OnceLog(self._connection.target),
            time.monotonic,
            self.cancelled_batches,
        )
        return Sender(self._connection, outbox, self._exit_seconds_max, spool)
