"""The folder in which unpacked servers are kept between runs."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE_VARIABLE = "BATCHPROGRESS_TEST_CACHE"
PARTIAL_PREFIX = "partial-"
"""Prefix of folders that are still incomplete; they are removed before the next download."""


def cache_folder() -> Path:
    """Return the folder, created if missing; git ignores the default one."""
    folder = Path(os.environ.get(CACHE_VARIABLE) or CHECKOUT / ".cache" / "databases").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shown(path: Path) -> str:
    """Return the path, relative if it is in the checkout."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)


def made_once(folder: Path, make: Callable[[Path], Path]) -> Path:
    """Return a folder of the cache, after making it if needed; only one process at a time makes any.

    Args:
        folder: The folder.
        make: Makes it within the folder that it is given, and returns its path there. It is renamed at the
            end, so that an interrupted run leaves no incomplete folder.

    """
    if not folder.is_dir():
        with _exclusive(folder.parent):
            # Another process may have made it while this one waited.
            if not folder.is_dir():
                _make(folder, make)
    return folder


def _make(folder: Path, make: Callable[[Path], Path]) -> None:
    for leftover in folder.parent.glob(f"{PARTIAL_PREFIX}*"):
        # The apt-get of a killed run may still write there.
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=folder.parent))
    try:
        make(partial).rename(folder)
    finally:
        shutil.rmtree(partial)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold a lock that one process at a time can have; the kernel releases it if the process dies."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
