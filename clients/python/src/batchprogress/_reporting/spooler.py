"""Keeps the reports of a sender in its spool. Only this waits for the disk, never with the sender's lock.

    a job's thread ──▶ keep: writes the record of its own report
    a thread       ──▶ removes answered reports, recovers what ended processes left,
                       and writes later what the disk had no room for

A report is in the outbox before its record is written, and the file is cleared only while its lock is held
and the outbox is empty. So no record of an unanswered report is ever removed.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Protocol

from batchprogress._reporting.buffer import Entry, Report
from batchprogress._reporting.outbox import Outbox

FULL_DISK_SECONDS = 5.0
"""Between two tries to write what the disk had no room for: nobody makes room faster."""
FORK_SECONDS_MAX = 2.0
"""How long a fork waits for a write, which takes microseconds unless the disk hangs."""


class Spool(Protocol):
    """Keeps reports beyond the end of their process."""

    @property
    def has_more(self) -> bool:
        """Whether there are files that `recover_next` has not tried."""

    @property
    def can_recover(self) -> bool:
        """Whether `recover_next` may be called now."""

    def append(self, report: Report, unanswered: Iterable[Report]) -> None:
        """Keep a report."""

    def recover_next(self, unanswered: Iterable[Report]) -> list[Report]:
        """Return reports that one earlier process left."""

    def clear(self) -> None:
        """Remove every report that was kept or recovered."""

    def close(self) -> None:
        """Leave the kept reports to the next process."""

    def close_in_child(self) -> None:
        """Leave the files to the parent of this forked process."""


class Spooler:
    """Keeps reports in a spool.

    Args:
        spool: where reports are kept.
        outbox: the unanswered reports.
        changed: the lock of the outbox, and what its sender waits for.
        on_recovered: called without a lock when all reports of earlier processes are in the outbox.

    """

    def __init__(
        self, spool: Spool, outbox: Outbox, changed: threading.Condition, on_recovered: Callable[[], None]
    ) -> None:
        self._spool = spool
        self._outbox = outbox
        self._changed = changed
        self._on_recovered = on_recovered
        self._files = threading.RLock()  # a signal handler may report while its thread writes
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._is_held_for_fork = False

    def start(self) -> bool:
        """Start the thread, which recovers reports; return False if the interpreter is ending."""
        thread = threading.Thread(target=self._run, name="batchprogress-spool", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def keep(self, number: int, report: Report) -> None:
        """Write a report that the outbox has accepted under this number."""
        try:
            with self._files:
                self._spool.append(report, self._unanswered())
        except OSError as error:
            with self._changed:
                self._outbox.on_spool_failure(error, number)

    def wake(self) -> None:
        """Let the thread see that reports were answered."""
        self._woken.set()

    def close(self, seconds_max: float) -> None:
        """Leave unanswered reports to the next process; wait a bounded time for the disk."""
        self._is_closed = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(seconds_max)
            if self._thread.is_alive():
                return
        if self._files.acquire(timeout=seconds_max):
            with suppress(OSError):
                self._clear()
                self._spool.close()
            self._files.release()

    def before_fork(self) -> None:
        """Keep the files as they are."""
        self._is_held_for_fork = self._files.acquire(timeout=FORK_SECONDS_MAX)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._is_held_for_fork:
            self._files.release()

    def after_fork_in_child(self) -> None:
        """Leave the files to the parent."""
        with suppress(OSError):
            self._spool.close_in_child()

    def _run(self) -> None:
        is_recovering = True
        while not self._is_closed:
            self._woken.clear()
            self._tidy()
            if is_recovering and not self._spool.has_more:
                is_recovering = False
                self._on_recovered()
            self._outbox.log.write()
            self._woken.wait(FULL_DISK_SECONDS if self._unkept() else None)

    def _tidy(self) -> None:
        try:
            with self._files:
                self._clear()
                self._recover()
                self._keep_later()
        except OSError as error:
            with self._changed:
                self._outbox.on_spool_failure(error)

    def _clear(self) -> None:
        with self._changed:
            is_pending = bool(self._outbox.counts.pending)
        if not is_pending:
            self._spool.clear()

    def _recover(self) -> None:
        while self._has_room() and self._spool.can_recover:
            reports = self._spool.recover_next(self._unanswered())
            with self._changed:
                self._outbox.recover(reports)
                self._changed.notify_all()

    def _keep_later(self) -> None:
        for entry in self._unkept():
            self._spool.append(entry.report, self._unanswered())
            with self._changed:
                self._outbox.on_kept_later(entry.number)

    def _unkept(self) -> list[Entry]:
        with self._changed:
            return self._outbox.unkept

    def _has_room(self) -> bool:
        with self._changed:
            return self._outbox.has_room

    def _unanswered(self) -> Iterator[Report]:
        """Return the unanswered reports at the time of the first step."""
        with self._changed:
            unanswered = self._outbox.unanswered
        yield from unanswered
