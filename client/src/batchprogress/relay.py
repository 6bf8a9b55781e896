"""A worker that forks for its jobs: a child made before them sends what it and they report.

    worker ──fork──▶ relay ◀──┐ pipe       a Reporter of its own; at the pipe's end it flushes and is gone
       │  └────────────────▶──┤            record, record, …
       └──fork──▶ job ─────▶──┘

gRPC survives a fork after its first call only with a switch in the environment (see forks). So a process that
goes on forking never calls it: it writes its reports to a pipe. A job's process that lives for one job does
the same, and neither waits for an answer nor opens a connection. What the relay has read outlives them both;
only a relay that is killed too loses what a spool does not keep.
"""

import os
import signal
import time
from contextlib import suppress

from batchprogress.buffer import Report
from batchprogress.errors import ProgressError, ReportNotTaken
from batchprogress.notices import Notices
from batchprogress.records import record_of, reports_in
from batchprogress.reporter import EXIT_SECONDS_MAX, Reporter
from batchprogress.reports import ReportCalls

END_SECONDS_MAX = EXIT_SECONDS_MAX + 1.0
"""How long a worker's end waits for its relay: as long as that flushes, and a moment."""
LOOK_SECONDS = 0.02
"""Between two looks whether the relay has ended: nobody notices so much at a worker's end."""
IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
"""What ends a worker comes to its whole group: the relay stays until the worker is gone."""


class Relay(ReportCalls):
    """Reports through a child process; made before the reporter's first report. Not on Windows."""

    def __init__(self, reporter: Reporter) -> None:
        """Take what the child reports with; nothing is forked before the start or the first report."""
        super().__init__(None, strict=False)
        self._reporter = reporter
        self._notices = Notices(reporter.connection.target)
        self._pipe: int | None = None
        self._child = 0

    def start(self) -> None:
        """Fork the child, so that processes forked later share it."""
        if self._pipe is not None:
            return
        end, self._pipe = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(self._pipe)
            self._serve(end)
        os.close(end)

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
        record = record_of(report)
        try:
            self._write(record)
        except BrokenPipeError:  # the child was killed; the next one gets the whole record
            self.leave()
            self._write(record)

    def _drop(self, error: ReportNotTaken) -> None:
        self._notices.once(error.reason, str(error))

    def _write(self, record: bytes) -> None:
        self.start()
        assert self._pipe is not None  # noqa: S101  # the type checker cannot know
        left = memoryview(record)
        while left:
            left = left[os.write(self._pipe, left) :]

    def _serve(self, pipe: int) -> None:
        """In the child: report until every process has left the pipe."""
        try:
            for number in IGNORED_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            self._reporter.start()
            with open(pipe, "rb") as stream:
                for report in reports_in(stream):
                    with suppress(ProgressError):  # a strict reporter's; nobody here to tell
                        self._reporter.pass_on(report)
            with suppress(ProgressError):
                self._reporter.close()
        finally:
            os._exit(0)
