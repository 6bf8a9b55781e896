"""Files that others replace while this process runs: certificates, tokens, keys."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

FILE_BYTES_MAX = 1024 * 1024
"""A certificate chain takes some 10 KiB, a thousand tokens 200 KiB; a larger file is another file."""

Made = TypeVar("Made")
_Signature = tuple[int, int, int] | None

_log = structlog.get_logger()


class FromFiles(Generic[Made]):
    """What is made of some files; what they hold now, as far as it can be used."""

    def __init__(self, paths: Iterable[Path], make: Callable[[], Made]) -> None:
        """Take the files, and what reads them all and makes one thing of them.

        Raises:
            ValueError: they cannot be used, as `make` says.

        """
        self._paths = tuple(paths)
        self._make = make
        self._used = self._refused = self._signatures()
        self.current = make()

    @property
    def is_stale(self) -> bool:
        """Whether the files were changed into what cannot be used; what was made before still holds."""
        return self._refused != self._used

    def refresh(self) -> bool:
        """Make it anew if a file was replaced, and tell whether it was; a look costs microseconds."""
        found = self._signatures()
        if found == self._used:
            self._refused = found
            return False
        try:
            made = self._make()
        except ValueError as error:
            self._refuse(found, str(error))
            return False
        if self._signatures() != found:
            return False  # half of it may be old: the next look finds it whole
        self.current, self._used, self._refused = made, found, found
        _log.info("files read again", files=[str(path) for path in self._paths])
        return True

    def _refuse(self, found: tuple[_Signature, ...], reason: str) -> None:
        if found != self._refused:
            _log.error("the new files cannot be used", reason=reason)
        self._refused = found

    def _signatures(self) -> tuple[_Signature, ...]:
        return tuple(_signature(path) for path in self._paths)


def read(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        ValueError: it cannot be read, or is larger than FILE_BYTES_MAX; the text names the file only.

    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return content


def _signature(path: Path) -> _Signature:
    """Return what changes when a file is replaced, also behind the links of a Kubernetes volume."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
