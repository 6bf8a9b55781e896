"""Reporter: reports how jobs ended, from any thread."""

from types import TracebackType
from typing import Self

from batchprogress._process import at_sigterm
from batchprogress._reporting.base_reporter import EXIT_SECONDS_MAX, BaseReporter
from batchprogress._reporting.buffer import Report


class Reporter(BaseReporter):
    """Reports how jobs ended, from any thread, and never makes a job wait or fail. Make one for each process.

    Reports go to a buffer. A daemon thread, started with the first one, sends them, many in a call, and sends
    each again until the server has answered it; it is counted once. Calls are retried with jitter for as long
    as the process lives, whatever is wrong between worker and server. The logger `batchprogress` has one line
    for each problem, not one for each report. A report that the server refuses for good (BATCH_FULL,
    BATCH_NOT_FOUND, RESULT_CONFLICT, INVALID_FIELD) is dropped and counted.

    A full buffer (100,000 reports or 32 MiB) refuses the newest report and counts it as BUFFER_FULL; the
    reconciler recovers it like every report that never arrived. Waiting instead would stop the work for the
    sake of its progress bar.

    `close`, leaving the context and the interpreter's exit flush for 5 s. SIGTERM does so in children of
    multiprocessing, and elsewhere after `flush_on_sigterm`. os._exit and SIGKILL cannot; use `spool` for
    these.

    A child that is forked begins with an empty buffer and a thread of its own. If its parent has called gRPC
    before, or if gevent or eventlet has patched this process, another process makes the calls.

    A reporter can be pickled: the copy reports to the same target and batch, with an empty buffer.

    Args:
        target: host:port, or any gRPC name (dns:///progress:50051). Nothing is opened before the first
            report.
        batch_id: the batch of reports that name none.
        credentials: TlsFiles, which are read again when the server cannot be reached, or the result of
            grpc.ssl_channel_credentials(); by default plaintext.
        token: a bearer token, or a function that returns the current one; sent with each call. The function
            is called in the sending thread.
        spool: a folder on a local disk that keeps unanswered reports. The reports of a killed process are
            sent by the next process with the same folder. Not on Windows.
        strict: for tests and scripts. Reports raise ReportNotTaken; `flush`, `close` and the end of the
            context raise ReportsRefused or ReportsUnsent. An exit only logs.
        cancelled: "failed" or "pending": what a job is whose asyncio task is cancelled from outside. Nobody
            can know who cancels a task: a time limit of the queue (arq's job_timeout), or a worker that shuts
            down and whose queue runs the job again. "pending" is never wrong: the next attempt or the
            reconciler ends the job. Set "failed" if your queue does not run a job again after its time limit,
            and pass `attempt`, so that a job that is run again replaces the failure. What is known needs no
            setting: the job is failed if it raises CancelledError or TimeoutError itself, or if a time limit
            in its own task (asyncio.timeout, asyncio.wait_for from Python 3.12) ends it.
        error_details: send the stack trace of an exception with the failure: lines of code, but no values of
            variables. It contains the messages of all exceptions in the chain, which may be personal data.
            False sends none.
        reports_max: the number of reports that fit into the buffer.
        exit_seconds_max: how many seconds the interpreter's exit may wait for answers.

    Example:
        >>> reporter = Reporter("progress:50051", "sync-2026-11")
        >>> with reporter.job("17"):
        ...     work()

    """

    def __enter__(self) -> Self:
        """Start now: with a spool, send what earlier processes left."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close. An exception of the block is never replaced by one of the reporter."""
        if error is None:
            self.close()
        else:
            self._sender.close(self._exit_seconds_max)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every report made before is answered.

        Args:
            timeout: how many seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether every report was answered in time.

        Raises:
            ReportsRefused: only if strict: the server refused reports.
            ReportsUnsent: only if strict: instead of returning False.

        Example:
            >>> reporter.succeeded("17")
            >>> reporter.flush(timeout=5)
            True

        """
        return self._checked(is_flushed=self._sender.flush(timeout))

    def close(self, timeout: float | None = EXIT_SECONDS_MAX) -> bool:
        """Flush and stop. Later reports are dropped and counted as CLOSED.

        Args:
            timeout: how many seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether every report was answered in time.

        Raises:
            ReportsRefused: only if strict: the server refused reports.
            ReportsUnsent: only if strict: instead of returning False.

        Example:
            >>> reporter.succeeded("17")
            >>> reporter.close(timeout=5)
            True

        """
        return self._checked(is_flushed=self._sender.close(timeout))

    def flush_on_sigterm(self, timeout: float = EXIT_SECONDS_MAX) -> bool:
        """Flush on SIGTERM, and only then let the signal do what it did before.

        Work continues meanwhile. A second SIGTERM takes effect at once. Use it in plain scripts, for example
        in Kubernetes Jobs, which SIGTERM ends without running exit functions; not in Celery or RQ, which
        handle SIGTERM themselves. Call it in the main thread, after other handlers are installed.

        Args:
            timeout: how many seconds to wait for answers at most.

        Returns:
            False, with nothing changed, outside the main thread or if the present handler cannot be restored.

        Example:
            >>> reporter = Reporter("progress:50051", "sync-2026-11")
            >>> has_handler = reporter.flush_on_sigterm(timeout=5)

        """
        return at_sigterm.flush_first(lambda: self._sender.flush(timeout))

    def forward(self, report: Report) -> None:
        """Send a report that another process has made; called by the relay only."""
        self._sender.enqueue(report)
