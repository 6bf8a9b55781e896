"""Files that others replace while this process runs: certificates, tokens, keys."""

from collections.abc import Iterable
from pathlib import Path

FILE_BYTES_MAX = 1024 * 1024
"""A certificate chain takes some 10 KiB, a thousand tokens 200 KiB; a larger file is another file."""

_Signature = tuple[int, int, int] | None


class WatchedFiles:
    """Tells whether any of some files was replaced since this was asked last."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Begin with the files as they are."""
        self._paths = tuple(paths)
        self._seen = self._signatures()

    def have_changed(self) -> bool:
        """Compare with what was seen last; a few microseconds."""
        now = self._signatures()
        changed, self._seen = now != self._seen, now
        return changed

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
