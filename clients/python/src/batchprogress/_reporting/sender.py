"""The thread that sends the reports of an outbox; each process has its own, started with the first report."""

import threading
from concurrent.futures import Future

from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import Failure, failure_of, without_message
from batchprogress._process.at_exit import close_at_exit, register_atexit
from batchprogress._reporting.buffer import Report
from batchprogress._reporting.call_pace import Pause
from batchprogress._reporting.flushes import Flushes, resolve
from batchprogress._reporting.inbox import Inbox
from batchprogress._reporting.outbox import Counts, Outbox
from batchprogress._reporting.report_channel import ReportChannel
from batchprogress._reporting.spooler import Spool, Spooler
from batchprogress.v1 import progress_pb2 as pb

FORK_SECONDS_MAX = 2.0
"""How long a fork waits for the call in flight, which takes milliseconds."""
STOP_SECONDS_MAX = 1.0
"""How long the thread may take to notice that its channel is closed."""


class Sender:
    """Sends reports from a daemon thread.

    Args:
        connection: how to reach the server; it is opened for the first call.
        outbox: the reports.
        exit_seconds_max: how long the exit of the process may wait for answers.
        spool: where reports are kept beyond the end of the process; None keeps them in memory only.

    Nothing of the user's is called while the lock is held, no line is logged and no file is written.

    """

    def __init__(
        self, connection: Connection, outbox: Outbox, exit_seconds_max: float, spool: Spool | None = None
    ) -> None:
        self._channel = ReportChannel(connection)
        self._outbox = outbox
        self._exit_seconds_max = exit_seconds_max
        self._changed = threading.Condition()
        self._inbox = Inbox(self._wake, outbox.reports_max)
        self.put = self._inbox.put
        """Takes a report in microseconds, or returns False: then `enqueue` has to take it."""
        self._spooler = None if spool is None else Spooler(spool, outbox, self._changed, self._on_recovered)
        self._is_recovering = False
        self._flushes = Flushes()
        self._thread: threading.Thread | None = None
        self._is_flush_requested = False
        self._is_forking = False
        self._is_stopped = False
        register_atexit()

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        with self._changed:
            self._collect()
            return self._outbox.counts

    def enqueue(self, report: Report) -> None:
        """Accept a report to be sent.

        Raises:
            ReportNotTaken: BUFFER_FULL or CLOSED; the report is counted as dropped.

        """
        try:
            with self._changed:
                self._collect()
                number = self._outbox.enqueue(report)
                self._start()
                self._notify_idle()
            if self._spooler is not None:
                self._spooler.keep(number, report)
        finally:
            self._outbox.log.write()

    def drop(self, reason: str, message: str) -> None:
        """Count a report as dropped."""
        with self._changed:
            self._outbox.drop(reason, message)
        self._outbox.log.write()

    def start(self) -> None:
        """Start the thread, which also sends what earlier processes left in the spool."""
        with self._changed:
            self._start()

    def start_flush(self) -> Future[bool]:
        """Send without delay.

        Returns:
            A future: True once every earlier report is answered, False if the sender stops first.

        """
        with self._changed:
            self._is_flush_requested = True
            self._collect()
            self._outbox.reset_backoff()
            flushed = self._flushes.add(self._outbox.last_number)
            self._changed.notify_all()
        self._resolve_flushes()
        return flushed

    def flush(self, timeout: float | None) -> bool:
        """Wait at most `timeout` seconds for the answer to every earlier report; return whether all came."""
        flushed = self.start_flush()
        try:
            return flushed.result(timeout)
        except TimeoutError:
            flushed.cancel()
            return False

    def pop_refused(self) -> dict[str, int]:
        """Return how many reports the server refused since the last call, by reason."""
        with self._changed:
            return self._outbox.pop_refused()

    def refuse_new(self) -> None:
        """Accept no more reports."""
        with self._changed:
            self._collect()
            self._outbox.close()
            self._inbox.is_open = False

    def stop(self) -> None:
        """End the thread, and leave unanswered reports to the spool or count them as dropped."""
        with self._changed:
            if self._is_stopped:
                return
            self._is_stopped = True
            self._inbox.wakes = True  # a report that comes too late is counted by its own thread
            self._changed.notify_all()
        self._channel.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS_MAX)
        with self._changed:
            self._collect()
            self._outbox.abandon_unsent(spooled=self._spooler is not None)
        if self._spooler is not None:
            self._spooler.close(STOP_SECONDS_MAX)
        self._outbox.log.write()
        self._resolve_flushes()

    def close(self, timeout: float | None) -> bool:
        """Accept no more reports, flush, and stop; return whether every report was answered."""
        self.refuse_new()
        is_flushed = self.flush(timeout)
        self.stop()
        return is_flushed

    def close_at_exit(self) -> None:
        """Close, waiting as long as an exit may."""
        self.close(self._exit_seconds_max)

    def before_fork(self) -> None:
        """Keep the locks, with no call in flight."""
        if self._spooler is not None:
            self._spooler.before_fork()
        self._changed.acquire()
        self._is_forking = True
        self._changed.wait_for(lambda: not self._outbox.is_calling, FORK_SECONDS_MAX)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._is_forking = False
        self._changed.notify_all()
        self._changed.release()
        if self._spooler is not None:
            self._spooler.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Leave every report and file to the parent."""
        if self._spooler is not None:
            self._spooler.after_fork_in_child()

    def _collect(self) -> None:
        """Move the reports of the inbox to the outbox, and decide whether it may take more."""
        self._inbox.move_to(self._outbox)
        has_sender = self._thread is not None and not self._is_stopped
        self._inbox.is_open = has_sender and self._spooler is None and self._outbox.has_room_for_new

    def _wake(self) -> None:
        """Called by the thread of a job that has put a report into the inbox."""
        with self._changed:
            if self._is_stopped:
                self._collect()
            self._notify_idle()

    def _notify_idle(self) -> None:
        """Wake the sender if it waits for reports; in a pause, it would only go on waiting."""
        if self._inbox.wakes:
            self._changed.notify_all()

    def _start(self) -> None:
        if self._thread is not None or self._is_stopped:
            return
        self._thread = threading.Thread(target=self._run, name="batchprogress", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is ending: reports stay in the spool or are counted as dropped
            self._thread = None
            return
        if self._spooler is not None:
            self._is_recovering = self._spooler.start()
        close_at_exit(self)

    def _run(self) -> None:
        while self._wait_for_reports():
            pause = self._call()
            if self._spooler is not None:
                self._spooler.wake()
            self._outbox.log.write()
            self._resolve_flushes()
            self._wait(pause)

    def _wait_for_reports(self) -> bool:
        """Return True with reports to send, False once stopped."""
        with self._changed:
            while not self._is_stopped:
                self._collect()
                if self._outbox.has_waiting and not self._is_forking:
                    return True
                self._inbox.wakes = True
                if not self._inbox.has_reports:  # otherwise one came before it could wake this thread
                    self._changed.wait(None if self._is_forking else self._outbox.seconds_to_deferred)
                self._inbox.wakes = self._is_stopped
            return False

    def _call(self) -> Pause:
        with self._changed:
            request = self._outbox.start_call()
        try:
            # Without the lock: no job waits for gRPC.
            response = self._channel.call(request)
        except Exception as error:  # noqa: BLE001  # also of the token function, which is the caller's code
            return self._fail(failure_of(error))
        return self._fail(without_message()) if response is None else self._answer(response)

    def _answer(self, response: pb.ReportJobResultsResponse) -> Pause:
        with self._changed:
            pause = self._outbox.on_response(response)
            self._changed.notify_all()
        return pause

    def _fail(self, failure: Failure) -> Pause:
        self._channel.note(failure)
        with self._changed:
            # After stop() our own closing has failed the call, which stays unanswered.
            pause = Pause() if self._is_stopped else self._outbox.on_failure(failure)
            self._changed.notify_all()
        return pause

    def _wait(self, pause: Pause) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_stopped or (pause.is_interruptible and self._is_flush_requested),
                pause.seconds,
            )
            self._is_flush_requested = False

    def _on_recovered(self) -> None:
        """Let the flushes wait for what earlier processes left, too."""
        with self._changed:
            self._is_recovering = False
            self._flushes.wait_for_all(self._outbox.last_number)
        self._resolve_flushes()

    def _resolve_flushes(self) -> None:
        with self._changed:
            finished = self._flushes.pop_finished(self._is_answered, is_stopped=self._is_stopped)
        resolve(finished)

    def _is_answered(self, number: int) -> bool:
        """Whether every report up to this number, and all of earlier processes, have their answer."""
        return not self._is_recovering and self._outbox.is_answered(number)
