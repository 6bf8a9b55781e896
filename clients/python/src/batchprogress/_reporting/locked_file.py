"""The files of a spool: each is locked by the process that has it open.

Other users may be able to write to the folder. Whatever they put there is never opened for long, followed or
read: reports are sent with the token of this process.
"""

import fcntl
import math
import os
import secrets
import stat
from pathlib import Path

SUFFIX = ".reports"
FOLDER_MODE = 0o700
"""Reports hold job ids and error messages, which may be personal data."""
FILE_MODE = 0o600


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
        return os.pread(self._descriptor, self.size, 0)

    def truncate(self, size: int) -> None:
        """Cut the file to a size in bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def remove(self) -> None:
        """Delete, then close it: in this order no process takes over reports that are answered."""
        try:
            self._path.unlink(missing_ok=True)
        finally:
            self.close()

    def close(self) -> None:
        """Close it; the lock ends with the last process that has it open."""
        os.close(self._descriptor)


def new_file(folder: Path) -> LockedFile:
    """Create a locked file.

    Raises:
        OSError: for example in a network folder without locks; no file is left behind.

    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    while True:
        path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        path.touch(mode=FILE_MODE, exist_ok=False)
        try:
            file = lock_file(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        if file:  # otherwise another process took the empty file over before it was locked
            return file


def lock_file(path: Path, size_max: float = math.inf) -> LockedFile | None:
    """Open and lock a file of this user; None if a living process holds it, or if it is gone.

    Raises:
        OSError: it cannot be opened or locked, is another user's, is no file, or is larger than `size_max`.

    """
    try:
        # Without O_NONBLOCK a device or a pipe could block the opening.
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        if _is_locked_by_us(descriptor, size_max):
            return LockedFile(path, descriptor)
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_locked_by_us(descriptor: int, size_max: float) -> bool:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_size > size_max:
        raise PermissionError("it was not written by a process of this user")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return bool(os.fstat(descriptor).st_nlink)  # otherwise its holder deleted it after it was opened here
