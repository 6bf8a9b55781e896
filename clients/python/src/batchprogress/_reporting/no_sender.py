"""What a reporter has in place of a sender while reporting is switched off."""

import threading
from concurrent.futures import Future

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.outbox import Counts
from batchprogress.errors import ReportNotTaken

DISABLED = "DISABLED"
"""The reason of the reports that it drops."""
CLOSED = "CLOSED"


class NoSender:
    """Accepts and drops reports: it has no thread, no channel and no spool, and never waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dropped: dict[str, int] = {}
        self._is_closed = False

    @property
    def counts(self) -> Counts:
        """What became of the reports: all are dropped."""
        with self._lock:
            return Counts(0, dict(self._dropped), 0)

    def put(self, *fields: object) -> bool:
        """Leave the report to `enqueue`."""
        del fields
        return False

    def enqueue(self, report: Report) -> None:
        """Drop a report.

        Raises:
            ReportNotTaken: CLOSED, as without the switch.

        """
        del report
        if self._is_closed:
            self.drop(CLOSED, "the reporter is closed")
            raise ReportNotTaken(CLOSED, "the reporter is closed")
        self.drop(DISABLED, "")

    def drop(self, reason: str, message: str) -> None:
        """Count a report as dropped."""
        del message
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def start(self) -> None:
        """Start nothing."""

    def start_flush(self) -> "Future[bool]":
        """Return a future that is done: nothing waits for an answer."""
        flushed: Future[bool] = Future()
        flushed.set_result(True)
        return flushed

    def flush(self, timeout: float | None) -> bool:
        """Return True: nothing waits for an answer."""
        del timeout
        return True

    def pop_refused(self) -> dict[str, int]:
        """Return nothing: no server has refused a report."""
        return {}

    def refuse_new(self) -> None:
        """Accept no more reports."""
        self._is_closed = True

    def stop(self) -> None:
        """Stop nothing."""

    def close(self, timeout: float | None) -> bool:
        """Accept no more reports."""
        self.refuse_new()
        return self.flush(timeout)

    def before_fork(self) -> None:
        """Keep the lock, which the child replaces with its own."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Leave the counts to the parent."""
