"""A child process that sends the reports of a worker that forks for its jobs.

    worker ──fork──▶ relay ◀──┐ pipe       has its own Reporter; flushes at the end of the pipe and exits
       │  └────────────────▶──┤            record, record, …
       └──fork──▶ job ─────▶──┘

gRPC does not survive a fork after its first call (see _grpc/forks). A process that keeps forking therefore
never calls it, but writes its reports to a pipe. So does a process that runs one job: it neither waits for an
answer nor opens a connection. Reports that the relay has read outlive both; if the relay itself is killed,
only those in a spool survive.

Many processes write to the pipe, and any of them may be killed at any moment. A record is therefore never
longer than the kernel writes atomically.
"""

import os
import select
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from batchprogress._grpc.call_processes import GROUP_SIGNALS
from batchprogress._reporting.base_reporter import EXIT_SECONDS_MAX
from batchprogress._reporting.buffer import Report
from batchprogress._reporting.error_details import cut_details
from batchprogress._reporting.once_log import OnceLog
from batchprogress._reporting.records import read_reports, to_record
from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.errors import ProgressError, ReportNotTaken
from batchprogress.reporter import Reporter

CLOSE_SECONDS_MAX = EXIT_SECONDS_MAX + 1.0
"""How long a worker waits for its relay to exit: the time of its flush, and a second."""
POLL_SECONDS = 0.02
"""Between two checks whether the relay has exited: too short to notice when a worker ends."""
WRITE_SECONDS_MAX = 0.5
"""How long a report waits for room in the pipe: a relay that reads nothing for so long is frozen, not slow.
Later reports do not wait until it reads again."""
RECORD_BYTES_MAX = 4096
"""What Linux writes to a pipe atomically (PIPE_BUF); an error message of 2,000 letters fits."""
PIPE_VARIABLE = "BATCHPROGRESS_RELAY_PIPE"
"""The variable that tells a spawned program the descriptor of the pipe, and its inode to recognise it by."""


class Relay(ReportMethods):
    """Reports through a child process. Not on Windows.

    Args:
        reporter: what the child reports with; it must not have reported anything yet. Nothing is forked
            before `start` or the first report.

    """

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(None, reporter.cancelled_batches, strict=False, error_details=reporter.error_details)
        self._reporter = reporter
        self._log = OnceLog(reporter.connection.target)
        self._pipe: int | None = None
        self._child = self._parent = 0
        self._is_full = False

    def start(self) -> None:
        """Fork the child, or a new one if it has exited, so that processes forked later share it.

        A process that keeps forking calls it before each fork: a forked process that finds no child has to
        fork one for itself.
        """
        if self._reporter.disabled:
            return
        with suppress(ReportNotTaken):  # logged; the next report tries again
            self._open_pipe()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let a program that is spawned in this block report through the same child, by `inherit`."""
        self.start()
        pipe = self._pipe
        if pipe is None:
            yield
            return
        os.environ[PIPE_VARIABLE] = f"{pipe}:{os.fstat(pipe).st_ino}"  # noqa: TID251  # for the program alone
        os.set_inheritable(pipe, True)  # noqa: FBT003  # by position only
        try:
            yield
        finally:
            os.set_inheritable(pipe, False)  # noqa: FBT003
            os.environ.pop(PIPE_VARIABLE, None)  # noqa: TID251

    def inherit(self) -> None:
        """Report through the child of the process that has spawned this program, if it has shared it."""
        number, _, inode = os.environ.pop(PIPE_VARIABLE, "").partition(":")  # noqa: TID251  # not a setting
        with suppress(ValueError, OSError):  # not spawned, or the pipe was closed on the way
            pipe = os.fstat(int(number))
            if stat.S_ISFIFO(pipe.st_mode) and pipe.st_ino == int(inode):
                self._pipe = int(number)
                os.set_inheritable(self._pipe, False)  # noqa: FBT003

    def detach(self) -> None:
        """Close this process's end of the pipe."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def close(self) -> None:
        """Wait at most 6 s until the child has flushed and exited."""
        if self._pipe is None:
            return
        self.detach()
        deadline = time.monotonic() + CLOSE_SECONDS_MAX
        with suppress(ChildProcessError):  # another caller has already waited for it
            while os.waitpid(self._child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)

    def _enqueue(self, report: Report) -> None:
        if self._reporter.disabled:
            self._reporter.forward(report)  # which drops it
            return
        record = to_short_record(report)
        if not self._write(record):  # the child was killed; the next one gets the whole record
            self.detach()
            if not self._write(record):
                raise self._refused("NO_RELAY", "the relay exits as soon as it is started")

    def _drop(self, error: ReportNotTaken) -> None:
        self._log.report_lost(error.reason, str(error))
        self._log.write()

    def _write(self, record: bytes) -> bool:
        """Write a record; return False if no process will read it."""
        pipe = self._open_pipe()
        deadline = time.monotonic() + (0.0 if self._is_full else WRITE_SECONDS_MAX)
        while True:
            try:
                os.write(pipe, record)
            except BlockingIOError:
                self._is_full = not is_writable(pipe, deadline - time.monotonic())
            except BrokenPipeError:
                return False
            else:
                self._is_full = False
                return True
            if self._is_full:
                raise self._refused("BUFFER_FULL", "the relay does not read")

    def _refused(self, reason: str, message: str) -> ReportNotTaken:
        refusal = ReportNotTaken(reason, message)
        self._drop(refusal)
        return refusal

    def _open_pipe(self) -> int:
        """Return the pipe to the child, which is forked if there is none."""
        if self._pipe is not None and self._has_exited():
            self.detach()
        if self._pipe is None:
            try:
                self._pipe = self._fork()
            except OSError as error:  # the limit of processes or of open files
                raise self._refused("NO_RELAY", f"the relay cannot be started: {error}") from error
        return self._pipe

    def _fork(self) -> int:
        """Fork the child; return the pipe to it."""
        read_end, pipe = os.pipe()
        # Until it ignores these signals, the child would handle them as the worker does.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
        try:
            self._child = os.fork()
            if not self._child:
                os.close(pipe)
                self._run_child(read_end, mask)
        except OSError:
            os.close(pipe)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(read_end)
        self._parent = os.getpid()
        self._is_full = False
        os.set_blocking(pipe, False)
        return pipe

    def _has_exited(self) -> bool:
        """Whether the child has exited; False in any process but its parent, which cannot know."""
        if self._parent != os.getpid():
            return False
        try:
            return os.waitpid(self._child, os.WNOHANG) != (0, 0)
        except ChildProcessError:  # another caller has already waited for it
            return True

    def _run_child(self, pipe: int, mask: set[int]) -> NoReturn:
        """Send what arrives until every process has closed its end of the pipe, then exit."""
        try:
            for number in GROUP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._reporter.start()
            with open(pipe, "rb") as stream:
                for report in read_reports(stream):
                    with suppress(ProgressError):  # counted and logged; nobody here could handle it
                        self._reporter.forward(report)
            with suppress(ProgressError):
                self._reporter.close()
        finally:
            os._exit(0)


def to_short_record(report: Report) -> bytes:
    """Return a report as a record of at most RECORD_BYTES_MAX.

    Of the error's details the first lines are cut, then the end of its message.

    Raises:
        ValueError: another field is too long, which the server would refuse.

    """
    record = to_record(report)
    if report.error_details and (excess := len(record) - RECORD_BYTES_MAX) > 0:
        bytes_left = len(report.error_details.encode()) - excess
        report.error_details = cut_details(report.error_details, bytes_left)
        record = to_record(report)
    if (excess := len(record) - RECORD_BYTES_MAX) > 0:
        report.error_message = report.error_message.encode()[:-excess].decode(errors="ignore")
        record = to_record(report)
    if len(record) > RECORD_BYTES_MAX:
        raise ValueError("an identifier is too long")
    return record


def is_writable(pipe: int, seconds: float) -> bool:
    """Wait at most `seconds` until a pipe has room for a record; return whether it has."""
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return bool(poll.poll(max(0.0, seconds) * 1_000))
