"""A worker that forks for its jobs: a child made before them sends what it and they report.

    worker ──fork──▶ relay ◀──┐ pipe       a Reporter of its own; at the pipe's end it flushes and is gone
       │  └────────────────▶──┤            record, record, …
       └──fork──▶ job ─────▶──┘

gRPC survives a fork after its first call only with a switch in the environment (see forks). So a process that
goes on forking never calls it: it writes its reports to a pipe. A job's process that lives for one job does
the same, and neither waits for an answer nor opens a connection. What the relay has read outlives them both;
only a relay that is killed too loses what a spool does not keep.

Many processes write to the pipe, and any of them may be killed at any moment. So a record is never longer
than what the kernel writes as one piece or not at all.
"""

import os
import select
import signal
import time
from contextlib import suppress
from typing import NoReturn

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.once_log import Notices
from batchprogress._reporting.records import record_of, reports_in
from batchprogress._reporting.reports import ReportCalls
from batchprogress.errors import ProgressError, ReportNotTaken
from batchprogress.reporter import EXIT_SECONDS_MAX, Reporter

END_SECONDS_MAX = EXIT_SECONDS_MAX + 1.0
"""How long a worker's end waits for its relay: as long as that flushes, and a moment."""
LOOK_SECONDS = 0.02
"""Between two looks whether the relay has ended: nobody notices so much at a worker's end."""
WRITE_SECONDS_MAX = 0.5
"""How long a report waits for room: a relay that reads nothing within it is frozen, not slow. The reports
after it do not wait."""
RECORD_BYTES_MAX = 4096
"""What Linux writes to a pipe as one piece (PIPE_BUF); an error's message of 2,000 letters fits."""
IGNORED_SIGNALS = tuple(
    one for one in signal.Signals if one.name in {"SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"}
)
"""What ends a worker comes to its whole group: the relay stays until the worker is gone. Windows, where
Celery imports this too, has only some of them."""


class Relay(ReportCalls):
    """Reports through a child process; made before the reporter's first report. Not on Windows."""

    def __init__(self, reporter: Reporter) -> None:
        """Take what the child reports with; nothing is forked before the start or the first report."""
        super().__init__(None, strict=False)
        self._reporter = reporter
        self._notices = Notices(reporter.connection.target)
        self._pipe: int | None = None
        self._child = self._parent = 0
        self._is_frozen = False

    def start(self) -> None:
        """Fork the child, or another one if it has ended, so that processes forked later share it.

        Who goes on forking calls it before each fork: a process that finds the child gone can only make one
        for itself.
        """
        with suppress(ReportNotTaken):  # said; the next report tries again
            self._started()

    def leave(self) -> None:
        """Let go of the child: in a process that reports by itself, or because the child is gone."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def close(self) -> None:
        """Let the child flush and end, and wait for it: 6 s at the most."""
        if self._pipe is None:
            return
        self.leave()
        deadline = time.monotonic() + END_SECONDS_MAX
        with suppress(ChildProcessError):  # somebody else has waited for it
            while os.waitpid(self._child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)

    def _put(self, report: Report) -> None:
        record = short_record_of(report)
        if not self._is_written(record):  # the child was killed; the next one gets the whole record
            self.leave()
            if not self._is_written(record):
                raise self._refused("NO_RELAY", "it ends as soon as it is started")

    def _drop(self, error: ReportNotTaken) -> None:
        self._notices.once(error.reason, str(error))

    def _is_written(self, record: bytes) -> bool:
        """Write a record; False if nobody will read it."""
        pipe = self._started()
        deadline = time.monotonic() + (0.0 if self._is_frozen else WRITE_SECONDS_MAX)
        while True:
            try:
                os.write(pipe, record)
            except BlockingIOError:
                self._is_frozen = not has_room(pipe, deadline - time.monotonic())
            except BrokenPipeError:
                return False
            else:
                self._is_frozen = False  # there was room, so that the next report waits for it again
                return True
            if self._is_frozen:
                raise self._refused("BUFFER_FULL", "the relay does not read")

    def _refused(self, reason: str, message: str) -> ReportNotTaken:
        refusal = ReportNotTaken(reason, message)
        self._drop(refusal)
        return refusal

    def _started(self) -> int:
        """Return the pipe to the child, which is forked if there is none."""
        if self._pipe is not None and self._has_ended():
            self.leave()
        if self._pipe is None:
            try:
                self._pipe = self._fork()
            except OSError as error:  # no more processes, no more files
                raise self._refused("NO_RELAY", f"it cannot be started: {error}") from error
        return self._pipe

    def _fork(self) -> int:
        """Fork the child; return the pipe to it."""
        end, pipe = os.pipe()
        # None of them comes to the child before it ignores them: it would run the worker's own handler.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED_SIGNALS)
        try:
            self._child = os.fork()
            if not self._child:
                os.close(pipe)
                self._serve(end, before)
        except OSError:
            os.close(pipe)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(end)
        self._parent = os.getpid()
        self._is_frozen = False
        os.set_blocking(pipe, False)
        return pipe

    def _has_ended(self) -> bool:
        """Whether the child has; only its parent can tell."""
        if self._parent != os.getpid():
            return False
        try:
            return os.waitpid(self._child, os.WNOHANG) != (0, 0)
        except ChildProcessError:  # somebody else has waited for it
            return True

    def _serve(self, pipe: int, signals_before: set[int]) -> NoReturn:
        """In the child: report until every process has left the pipe."""
        try:
            for number in IGNORED_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, signals_before)
            self._reporter.start()
            with open(pipe, "rb") as stream:
                for report in reports_in(stream):
                    with suppress(ProgressError):  # a strict reporter's; nobody here to tell
                        self._reporter.pass_on(report)
            with suppress(ProgressError):
                self._reporter.close()
        finally:
            os._exit(0)


def short_record_of(report: Report) -> bytes:
    """Return a report as a record of RECORD_BYTES_MAX at the most; what is too long is the error's message.

    Raises:
        ValueError: it is something else, which no server takes.

    """
    record = record_of(report)
    if (over := len(record) - RECORD_BYTES_MAX) > 0:
        report.error_message = report.error_message.encode()[:-over].decode(errors="ignore")
        record = record_of(report)
    if len(record) > RECORD_BYTES_MAX:
        raise ValueError("an identifier is too long")
    return record


def has_room(pipe: int, seconds: float) -> bool:
    """Wait until a pipe takes a record, so many seconds at the most; tell whether it does."""
    room = select.poll()
    room.register(pipe, select.POLLOUT)
    return bool(room.poll(max(0.0, seconds) * 1_000))
