"""The thread that sends what is in an outbox. Started with the first report; one in each process."""

import threading

import grpc

from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import TRY_SECONDS_MAX, failure_of
from batchprogress._process.at_exit import flush_at_exit, mind_exits
from batchprogress._reporting.buffer import Report
from batchprogress._reporting.outbox import Counts, Outbox, Pause
from batchprogress.v1 import progress_pb2_grpc

FORK_SECONDS_MAX = 2.0
"""How long a fork waits for the call under way, which takes milliseconds; gRPC survives no fork in one."""
STOP_SECONDS_MAX = 1.0
"""How long the thread may take to see that its channel is closed."""


class Sender:
    """Sends reports from a daemon thread, which no exit waits for longer than was asked."""

    def __init__(self, connection: Connection, outbox: Outbox, exit_seconds_max: float) -> None:
        """Take the server, the outbox and how long an exit may wait; nothing is opened or started."""
        self._connection = connection
        self._outbox = outbox
        self._exit_seconds_max = exit_seconds_max
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._channel: grpc.Channel | None = None
        self._is_worn = False
        self._hurried = False
        self._held = False
        self._stopped = False
        mind_exits()

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        with self._changed:
            return self._outbox.counts

    def put(self, report: Report) -> None:
        """Take a report to be sent.

        Raises:
            ReportNotTaken: it is counted and will not be sent.

        """
        with self._changed:
            self._outbox.put(report)
            self._start()
            self._changed.notify_all()

    def drop(self, reason: str, message: str) -> None:
        """Count a report that is none."""
        with self._changed:
            self._outbox.drop(reason, message)

    def start(self) -> None:
        """Begin now, with what processes that are gone have left."""
        with self._changed:
            self._start()

    def flush(self, timeout: float | None) -> bool:
        """Wait, for so many seconds at the most, until every report put before is answered; tell if so."""
        with self._changed:
            newest = self._outbox.newest
            self._hurried = True
            self._outbox.hurry()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._outbox.is_settled(newest), timeout)

    def take_refused(self) -> dict[str, int]:
        """Return how many reports the server refused since this was asked last."""
        with self._changed:
            return self._outbox.take_refused()

    def close(self, timeout: float | None) -> bool:
        """Take no more reports, flush, and end the thread; tell whether everything was answered."""
        with self._changed:
            self._outbox.shut()
        answered = self.flush(timeout)
        with self._changed:
            first, self._stopped = not self._stopped, True
            self._changed.notify_all()
        if first:
            self._end()
        return answered

    def close_at_exit(self) -> None:
        """Close, as long as an exit may take."""
        self.close(self._exit_seconds_max)

    def hold(self) -> None:
        """Before a fork: keep the lock, with no call under way."""
        self._changed.acquire()
        self._held = True
        self._changed.wait_for(lambda: not self._outbox.is_calling, FORK_SECONDS_MAX)

    def release(self) -> None:
        """After a fork, in the parent: go on."""
        self._held = False
        self._changed.notify_all()
        self._changed.release()

    def forget(self) -> None:
        """After a fork, in the child: leave everything to the parent."""
        self._outbox.forget()

    @property
    def has_called(self) -> bool:
        """Whether a channel was opened."""
        return self._channel is not None

    def _start(self) -> None:
        if self._thread is not None or self._stopped:
            return
        self._outbox.adopt()
        self._thread = threading.Thread(target=self._run, name="batchprogress", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is ending: what is unsent is told, or waits in the spool
            self._thread = None
            return
        flush_at_exit(self)

    def _run(self) -> None:
        while self._wait_for_reports():
            self._rest(self._call())

    def _wait_for_reports(self) -> bool:
        """Return True with reports to send, False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or (self._outbox.has_waiting and not self._held))
            return not self._stopped

    def _call(self) -> Pause:
        with self._changed:
            request = self._outbox.begin()
        try:
            # Without the lock: whatever gRPC does, no job waits for it.
            channel = self._opened()
            # Not wait_for_ready: a server that is away is told with its reason, and no fork waits for it.
            response = progress_pb2_grpc.ProgressServiceStub(channel).ReportJobResults(
                request, timeout=TRY_SECONDS_MAX, metadata=self._connection.metadata()
            )
        except Exception as error:  # noqa: BLE001  # also the token's, which is the caller's code
            failure = failure_of(error)
            self._is_worn = self._connection.is_worn(failure.code)
            with self._changed:
                # At the end it is our own closing that failed the call: it stays unanswered.
                pause = Pause() if self._stopped else self._outbox.fail(failure)
                self._changed.notify_all()
        else:
            with self._changed:
                pause = self._outbox.answer(response)
                self._changed.notify_all()
        return pause

    def _opened(self) -> grpc.Channel:
        """Return the channel, opened anew if a new certificate may be what it needs."""
        if self._channel is None or self._is_worn:
            before, self._channel = self._channel, self._connection.open()
            self._is_worn = False
            if before is not None:
                before.close()
        return self._channel

    def _rest(self, pause: Pause) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or (pause.hurried and self._hurried), pause.seconds)
            self._hurried = False

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()  # cancels the call under way
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS_MAX)
        with self._changed:
            self._outbox.give_up()
