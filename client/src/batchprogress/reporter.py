"""Reporter: how worker code says how its jobs ended."""

from pathlib import Path
from types import TracebackType
from typing import Self

from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._process import at_sigterm
from batchprogress._process.at_fork import survive_forks
from batchprogress._reporting.buffer import BUFFER_REPORTS_MAX, Report
from batchprogress._reporting.outbox import Counts, new_outbox
from batchprogress._reporting.reports import ReportCalls
from batchprogress._reporting.sender import Sender
from batchprogress.errors import ReportNotTaken

EXIT_SECONDS_MAX = 5.0
"""How long an exit waits for answers: a server is back in less, and no orchestrator has lost its patience."""


class Reporter(ReportCalls):
    """Reports how jobs ended, from any thread, without ever making a job wait or fail.

        reporter = Reporter("progress:50051", "sync-2026-11")   # one for the process
        with reporter.job("17"):
            work()

    Reports go to a buffer; a daemon thread, started with the first one, sends them, many in a call, again and
    again until each is answered. Each is counted once. Calls are retried with jitter for as long as the
    process lives, whatever is wrong with the way to the server; trouble is logged once, not once a report, to
    the logger `batchprogress`. What the server refuses for good (BATCH_FULL, BATCH_NOT_FOUND,
    RESULT_CONFLICT, INVALID_FIELD) is dropped, logged once for each reason, and counted.

    A full buffer (100,000 reports or 32 MiB) refuses the newest report: it is counted as BUFFER_FULL, and the
    reconciler repairs it like any report that never came. Waiting instead would stop the work for the sake of
    its progress bar.

    The end: `close`, leaving the context, or the interpreter's exit flush for 5 s. SIGTERM does not, unless
    `flush_on_sigterm` was called. os._exit and SIGKILL cannot: `spool` is for these.

    Forks: a fork before the first report needs nothing. After it, set GRPC_ENABLE_FORK_SUPPORT=1 for gRPC;
    the child then begins with an empty buffer and a thread and a channel of its own.
    """

    def __init__(  # noqa: PLR0913  # options, by keyword only
        self,
        target: str,
        batch_id: str | None = None,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        spool: str | Path | None = None,
        strict: bool = False,
        reports_max: int = BUFFER_REPORTS_MAX,
        exit_seconds_max: float = EXIT_SECONDS_MAX,
    ) -> None:
        """Take the server and the batch; nothing is opened before the first report.

        Args:
            target: host:port, or any gRPC name (dns:///progress:50051).
            batch_id: the batch of reports that name none.
            credentials: TlsFiles, which are read again when the server cannot be reached, or from
                grpc.ssl_channel_credentials(); by default plaintext.
            token: a bearer token, or what returns the one of now; sent with each call.
            spool: a folder on a local disk for reports that are not answered yet. Those of a process that was
                killed are sent by the next one with the same folder. Not on Windows.
            strict: for tests and scripts. Reports raise ReportNotTaken; `flush`, `close` and the end of the
                context raise ReportsRefused or ReportsUnsent. An exit only logs.
            reports_max: how many reports may wait.
            exit_seconds_max: how long the interpreter's exit may wait for answers.

        """
        super().__init__(batch_id, strict=strict)
        self._connection = Connection(target, credentials, token)
        self._spool = None if spool is None else Path(spool)
        self._reports_max = reports_max
        self._exit_seconds_max = exit_seconds_max
        self._sender = self._new_sender()
        self._parents: list[Sender] = []
        survive_forks(self)

    def __enter__(self) -> Self:
        """Begin now: with a spool, send what an earlier process has left."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an exception of the block is never replaced by one of ours."""
        if error is None:
            self.close()
        else:
            self._sender.close(self._exit_seconds_max)

    @property
    def counts(self) -> Counts:
        """What became of the reports of this process."""
        return self._sender.counts

    @property
    def connection(self) -> Connection:
        """Where the server is and how it is reached."""
        return self._connection

    @property
    def strict(self) -> bool:
        """Whether it raises what is wrong with progress."""
        return self._strict

    def start(self) -> None:
        """Begin now, not with the first report: with a spool, send what an earlier process has left."""
        self._sender.start()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every report made before is answered, `timeout` seconds at the most; tell whether so.

        Raises:
            ReportsRefused: only if strict.
            ReportsUnsent: only if strict, instead of returning False.

        """
        return self._after(answered=self._sender.flush(timeout))

    def close(self, timeout: float | None = EXIT_SECONDS_MAX) -> bool:
        """Flush and end; later reports are dropped and counted as CLOSED. Tell whether all were answered.

        Raises:
            ReportsRefused: only if strict.
            ReportsUnsent: only if strict, instead of returning False.

        """
        return self._after(answered=self._sender.close(timeout))

    def flush_on_sigterm(self, timeout: float = EXIT_SECONDS_MAX) -> bool:
        """Let a SIGTERM flush, `timeout` seconds at the most, and only then do what it did before.

        The work goes on meanwhile. A second SIGTERM does at once what it did before. For plain scripts,
        Kubernetes Jobs among them, which SIGTERM ends without any exit function. Not for Celery and RQ: they
        handle SIGTERM themselves and let their jobs end. Call it from the main thread, after other handlers
        are installed; returns False, and changes nothing, where it cannot be done.
        """
        return at_sigterm.flush_first(lambda: self._sender.flush(timeout))

    def pass_on(self, report: Report) -> None:
        """Take a report that another process has made; not for callers."""
        self._report(
            report.outcome,
            report.job_id,
            report.batch_id,
            report.attempt,
            (report.error_type, report.error_message),
        )

    def hold(self) -> None:
        """Before a fork; not for callers."""
        self._sender.hold()

    def release(self) -> None:
        """After a fork, in the parent; not for callers."""
        self._sender.release()

    def begin_anew(self) -> bool:
        """After a fork, in the child; not for callers."""
        parent, self._sender = self._sender, self._new_sender()
        parent.forget()
        self._parents.append(parent)  # its channel is the parent's: it must be neither closed nor collected
        return parent.has_called

    def _put(self, report: Report) -> None:
        self._sender.put(report)

    def _drop(self, error: ReportNotTaken) -> None:
        self._sender.drop(error.reason, str(error))

    def _after(self, *, answered: bool) -> bool:
        return self._told(answered=answered, refused=self._sender.take_refused(), pending=self.counts.pending)

    def _new_sender(self) -> Sender:
        outbox = new_outbox(self._connection.target, self._spool, self._reports_max)
        return Sender(self._connection, outbox, self._exit_seconds_max)
