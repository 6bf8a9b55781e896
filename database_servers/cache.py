"""Where unpacked servers are kept between runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE_VARIABLE = "BATCHPROGRESS_TEST_CACHE"
PARTIAL_PREFIX = "partial-"
"""Begins the names of folders that are not complete; the next process that makes one removes all others."""


def cache_folder() -> Path:
    """Return the folder, made if missing; git ignores the default one."""
    folder = Path(os.environ.get(CACHE_VARIABLE) or CHECKOUT / ".cache" / "databases").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shown(path: Path) -> str:
    """Return the path as a reader in the checkout would type it."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time in, all others wait; the kernel lets go when a process dies."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
