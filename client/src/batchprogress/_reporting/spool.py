"""Keeps reports on disk, so that the reports of a killed worker are sent by the next process.

Each process has one file in the folder and keeps it locked (flock) while it lives. A process that starts
takes over the files that nobody holds; of two that start at once, only one gets a file.

    <folder>/<pid>-<random>.reports      record, record, record, …

A record is written before `succeeded` returns, and never fsynced: the kernel keeps it when the process is
killed, and loses the last seconds when the machine loses power. A write costs the job's thread microseconds,
an fsync would cost milliseconds; the reconciler recovers such a loss.
A report may be sent twice: it is counted once.
"""

import fcntl
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.records import read_reports, to_record

SPOOL_BYTES_MAX = 64 * 1024 * 1024
"""Of one file: twice what a buffer holds. A full file is replaced by one with the unanswered reports."""
SUFFIX = ".reports"


class FileSpool:
    """The file of this process, created with its first report, and the files it has taken over.

    Args:
        folder: the folder, which is created if it is missing.
        bytes_max: the size of a full file.

    """

    def __init__(self, folder: Path, bytes_max: int = SPOOL_BYTES_MAX) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._file: LockedFile | None = None
        self._recovered: list[LockedFile] = []
        self.has_more = False
        """Whether `recover` left files for a call after the next `clear`."""

    def append(self, report: Report, unanswered: Iterable[Report]) -> None:
        """Keep a report. A full file is replaced by one with the unanswered reports, which include this one.

        Raises:
            OSError: the report is not kept; the file is as before.

        """
        if self._file is None:
            self._file = new_file(self._folder)
        record = to_record(report)
        if self._file.size + len(record) <= self._bytes_max:
            self._file.append(record)
            return
        replacement = new_file(self._folder)
        replacement.append(b"".join(to_record(one) for one in unanswered))
        self._file.remove()
        self._file = replacement

    def recover(self) -> list[Report]:
        """Return the unsent reports of processes that are gone, and hold their files until `clear`.

        One call returns at most what a full file holds.
        """
        reports: list[Report] = []
        self.has_more = False
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with suppress(OSError):  # another user's file waits for a process of that user
                if file := lock_file(path):
                    reports += self._recover_file(file)
            if self.has_more:
                break
        return reports

    def clear(self) -> None:
        """Remove every report that was kept or recovered: each has its answer."""
        while self._recovered:
            self._recovered.pop().remove()
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
        for file in (*self._recovered, *([self._file] if self._file else [])):
            file.close()
        self._recovered, self._file = [], None

    def _recover_file(self, file: "LockedFile") -> list[Report]:
        """Take a file over, unless that exceeds the bound."""
        if self._recovered and sum(one.size for one in (*self._recovered, file)) > self._bytes_max:
            self.has_more = True
            file.close()
            return []
        try:
            reports = list(read_reports(BytesIO(file.read())))
        except OSError:
            file.close()
            raise
        self._recovered.append(file)
        return reports


class LockedFile:
    """An open file that no other process can lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def append(self, record: bytes) -> None:
        """Write all of the record at the end of the file, or nothing.

        Raises:
            OSError: nothing was written.

        """
        written = os.write(self._descriptor, record)
        if written != len(record):
            self.truncate(self.size)  # half a record would hide every later one
            raise OSError("the disk is full")
        self.size += written

    def read(self) -> bytes:
        """Return the whole content."""
        return self._path.read_bytes()

    def truncate(self, size: int) -> None:
        """Cut the file to a size in bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def remove(self) -> None:
        """Delete, then close it: in this order no process takes over reports that are answered."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close it; the lock ends with the last process that has it open."""
        os.close(self._descriptor)


def new_file(folder: Path) -> LockedFile:
    """Create a locked file.

    Raises:
        OSError: for example in a network folder without locks; no file is left behind.

    """
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        path.touch(mode=0o600, exist_ok=False)
        try:
            file = lock_file(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        if file:  # otherwise another process took the empty file over before it was locked
            return file


def lock_file(path: Path) -> LockedFile | None:
    """Open and lock a file; None if a living process holds it, or if it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    if not os.fstat(descriptor).st_nlink:  # its holder deleted it after it was opened here
        os.close(descriptor)
        return None
    return LockedFile(path, descriptor)
