"""Keeps reports on disk, so that the reports of a killed worker are sent by the next process.

Each process has one file in the folder and keeps it locked (flock) while it lives. A process that starts
copies the files that nobody holds into its own, then deletes them; of two that start at once, only one gets
a file.

    <folder>/<pid>-<random>.reports      record, record, record, …

A record is written before `succeeded` returns, and never fsynced: the kernel keeps it when the process is
killed, and loses the last seconds when the machine loses power. A write costs the job's thread microseconds,
an fsync would cost milliseconds; the reconciler recovers such a loss.
A report may be sent twice: it is counted once.
"""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.locked_file import SUFFIX, LockedFile, lock_file, new_file
from batchprogress._reporting.records import read_reports, to_record

SPOOL_BYTES_MAX = 64 * 1024 * 1024
"""Of one file: twice what a buffer holds. A full file is replaced by one with the unanswered reports."""
READ_BYTES_MAX = 2 * SPOOL_BYTES_MAX
"""A larger file was written by no process of ours, and would fill the memory."""


class FileSpool:
    """The file of this process, created with its first report. Not thread-safe by itself.

    What other processes left is copied into this file, one file at a time: however many processes were
    killed, the folder gets no fuller, and at most three files are open.

    Args:
        folder: the folder, which is created if it is missing.
        bytes_max: the size of a full file.

    """

    def __init__(self, folder: Path, bytes_max: int = SPOOL_BYTES_MAX) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._file: LockedFile | None = None
        self._uncopied: LockedFile | None = None
        """The file of an ended process for whose copy the disk had no room."""
        self._left: deque[Path] | None = None

    @property
    def has_more(self) -> bool:
        """Whether there are files that `recover_next` has not tried."""
        if self._left is None:
            self._left = deque()
            with suppress(OSError):
                self._left.extend(sorted(self._folder.glob(f"*{SUFFIX}")))
        return bool(self._left)

    @property
    def can_recover(self) -> bool:
        """Whether `recover_next` may be called now; not while a file that could not be copied is held."""
        return self._uncopied is None and self.has_more

    def append(self, report: Report, unanswered: Iterable[Report]) -> None:
        """Keep a report. A full file is replaced by one with the unanswered reports, which include this one.

        Raises:
            OSError: the report is not kept; the file is as before.

        """
        record = to_record(report)
        file = self._own_file()
        if file.size + len(record) <= self._bytes_max:
            file.append(record)
        else:
            self._rewrite(unanswered)

    def recover_next(self, unanswered: Iterable[Report]) -> list[Report]:
        """Return the unsent reports of one process that is gone, which are in this process's file now.

        Args:
            unanswered: what a full file is replaced by.

        """
        path = self._left.popleft() if self.has_more and self._left else None
        with suppress(OSError):  # another user's file waits for a process of that user
            if path is not None and (file := lock_file(path, READ_BYTES_MAX)):
                return self._take_over(file, unanswered)
        return []

    def clear(self) -> None:
        """Remove every report that was kept or recovered: each has its answer."""
        if uncopied := self._pop_uncopied():
            uncopied.remove()
        if self._file is not None and self._file.size:
            self._file.truncate(0)

    def close(self) -> None:
        """Leave the files to the next process, and remove this one's if it is empty."""
        if self._file is not None and not self._file.size:
            self._file.remove()
            self._file = None
        self.close_in_child()

    def close_in_child(self) -> None:
        """Close the files; in the child of a fork the parent keeps them locked."""
        for file in (self._pop_uncopied(), self._file):
            if file is not None:
                file.close()
        self._file = None

    def _own_file(self) -> LockedFile:
        if self._file is None:
            self._file = new_file(self._folder)
        return self._file

    def _rewrite(self, unanswered: Iterable[Report]) -> None:
        """Replace the file by one with the unanswered reports."""
        replacement = new_file(self._folder)
        try:
            replacement.append(b"".join(to_record(one) for one in unanswered))
        except OSError:
            replacement.remove()
            raise
        before, self._file = self._file, replacement
        for file in (before, self._pop_uncopied()):
            if file is not None:
                file.remove()

    def _take_over(self, file: LockedFile, unanswered: Iterable[Report]) -> list[Report]:
        """Copy the reports of a file into this process's, then remove it."""
        try:
            reports = list(read_reports(BytesIO(file.read())))
        except OSError:
            file.close()
            raise
        try:
            self._copy(reports, unanswered)
        except OSError:  # the disk is full: they stay where they are until they are answered
            self._uncopied = file
        else:
            with suppress(OSError):
                file.remove()
        return reports

    def _copy(self, reports: list[Report], unanswered: Iterable[Report]) -> None:
        records = b"".join(to_record(one) for one in reports)
        if not records:
            return
        own = self._own_file()
        if own.size and own.size + len(records) > self._bytes_max:
            self._rewrite(unanswered)
        self._own_file().append(records)

    def _pop_uncopied(self) -> LockedFile | None:
        uncopied, self._uncopied = self._uncopied, None
        return uncopied
