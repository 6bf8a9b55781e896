"""The folder in which unpacked servers are kept between runs."""

import fcntl
import os
from collections.abc import Iterator
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


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a lock that one process at a time can have; the kernel releases it if the process dies."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
