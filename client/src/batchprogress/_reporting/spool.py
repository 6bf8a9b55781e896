"""Reports on disk: what a worker that was killed had not sent is sent by whoever comes next.

A folder holds one file for each process, locked (flock) for as long as the process lives. A process that
begins adopts the files that nobody holds any more; two that adopt at once cannot get the same file.

    <folder>/<pid>-<random>.reports      record, record, record, …

A record is written before `succeeded` returns and never fsynced: the kernel keeps it when the process is
killed, and loses the last seconds when the machine loses its power. That costs microseconds in the job's
thread, where an fsync costs milliseconds; what is lost so is what the reconciler is for.
Reports may be sent twice: they are counted once.
"""

import fcntl
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.records import record_of, reports_in

SPOOL_BYTES_MAX = 64 * 1024 * 1024
"""Of one file: twice what a buffer may hold. A fuller one is written anew with what is not settled."""
SUFFIX = ".reports"


class Spool:
    """The file of this process, made with its first report, and those it has adopted."""

    def __init__(self, folder: Path, bytes_max: int = SPOOL_BYTES_MAX) -> None:
        """Take the folder; it is made if it is not there."""
        self._folder = folder
        self._bytes_max = bytes_max
        self._file: LockedFile | None = None
        self._adopted: list[LockedFile] = []
        self.has_left_some = False
        """Whether `adopt` had no room for all; it may be called again after `clear`."""

    def keep(self, report: Report, unsettled: Iterable[Report]) -> None:
        """Append a report; a full file is written anew with all that are not settled, this one too.

        Raises:
            OSError: the report is not kept; the file is as before.

        """
        if self._file is None:
            self._file = new_file(self._folder)
        record = record_of(report)
        if self._file.size + len(record) <= self._bytes_max:
            self._file.append(record)
            return
        fresh = new_file(self._folder)
        fresh.append(b"".join(record_of(one) for one in unsettled))
        self._file.remove()
        self._file = fresh

    def adopt(self) -> list[Report]:
        """Return what processes that are gone had not sent, and hold their files until `clear`.

        No more than a full file's worth at once: what is left then is for the next call, or the next process.
        """
        reports: list[Report] = []
        self.has_left_some = False
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with suppress(OSError):  # another user's: it waits for a process of that user
                if file := lock_file(path):
                    reports += self._reports_of(file)
            if self.has_left_some:
                break
        return reports

    def _reports_of(self, file: "LockedFile") -> list[Report]:
        """Adopt a file if there is room for it."""
        if self._adopted and sum(one.size for one in (*self._adopted, file)) > self._bytes_max:
            self.has_left_some = True
            file.close()
            return []
        try:
            reports = list(reports_in(BytesIO(file.read())))
        except OSError:
            file.close()
            raise
        self._adopted.append(file)
        return reports

    def clear(self) -> None:
        """Forget all that was kept or adopted: it is settled."""
        while self._adopted:
            self._adopted.pop().remove()
        if self._file is not None and self._file.size:
            self._file.truncate(0)

    def close(self) -> None:
        """Leave the files to the next process; an empty one goes."""
        for file in self._adopted:
            file.close()
        if self._file is not None:
            self._file.close() if self._file.size else self._file.remove()
        self._adopted, self._file = [], None

    def forget(self) -> None:
        """After a fork, in the child: close the parent's files, whose locks the parent keeps."""
        for file in (*self._adopted, *([self._file] if self._file else [])):
            file.close()
        self._adopted, self._file = [], None


class LockedFile:
    """An open file that no other process adopts."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take a file that is open and locked."""
        self._path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def append(self, record: bytes) -> None:
        """Write at the end, all or nothing.

        Raises:
            OSError: nothing is written.

        """
        written = os.write(self._descriptor, record)
        if written != len(record):
            self.truncate(self.size)  # half a record would hide all that come after it
            raise OSError("the disk is full")
        self.size += written

    def read(self) -> bytes:
        """Return all of it."""
        return self._path.read_bytes()

    def truncate(self, size: int) -> None:
        """Cut it to a size in bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def remove(self) -> None:
        """Remove and close it: in this order nobody adopts what is settled."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close it; the last process that has it open lets go of the lock."""
        os.close(self._descriptor)


def new_file(folder: Path) -> LockedFile:
    """Make a file of this process.

    Raises:
        OSError: no file is left: a network folder may lock none.

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
        if file:  # else another process has adopted it, empty, before we had the lock
            return file


def lock_file(path: Path) -> LockedFile | None:
    """Open and lock a file; None if a living process holds it, or if it is gone meanwhile."""
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
    if not os.fstat(descriptor).st_nlink:  # its holder has removed it between our opening and locking it
        os.close(descriptor)
        return None
    return LockedFile(path, descriptor)
