"""Files that are replaced while this process runs: certificates, tokens, keys."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

FILE_BYTES_MAX = 1024 * 1024
"""A certificate chain takes some 10 KiB and a thousand tokens 200 KiB; a larger file is not one of these."""

Content = TypeVar("Content")
_Signature = tuple[int, int, int] | None

_log = structlog.get_logger()


class ReloadedFiles(Generic[Content]):
    """The parsed content of some files, and of the files that replace them if those can be parsed.

    Args:
        paths: the files.
        parse: reads all of them and returns their content; raises ValueError if they cannot be used.

    Raises:
        ValueError: as `parse`.

    """

    def __init__(self, paths: Iterable[Path], parse: Callable[[], Content]) -> None:
        self._paths = tuple(paths)
        self._parse = parse
        self._used = self._refused = self._signatures()
        self.current = parse()

    @property
    def is_stale(self) -> bool:
        """Whether the files were replaced by files that cannot be used; the old content stays in use."""
        return self._refused != self._used

    def refresh(self) -> bool:
        """Read the files again if one of them was replaced. A check costs microseconds.

        Returns:
            Whether `current` has changed.

        """
        found = self._signatures()
        if found == self._used:
            self._refused = found
            return False
        try:
            content = self._parse()
        except ValueError as error:
            self._refuse(found, str(error))
            return False
        if self._signatures() != found:
            return False  # replaced during the read, so half of it may be old: the next refresh reads all
        self.current, self._used, self._refused = content, found, found
        _log.info("files reloaded", files=[str(path) for path in self._paths])
        return True

    def _refuse(self, found: tuple[_Signature, ...], reason: str) -> None:
        if found != self._refused:
            _log.error("the new files cannot be used", reason=reason)
        self._refused = found

    def _signatures(self) -> tuple[_Signature, ...]:
        return tuple(_signature(path) for path in self._paths)


def read(path: Path) -> bytes:
    """Read a file.

    Args:
        path: the file.

    Returns:
        The content.

    Raises:
        ValueError: the file cannot be read, or is larger than FILE_BYTES_MAX; the text names only the file.

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
    """Return a value that changes when a file is replaced, even behind the links of a Kubernetes volume."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
