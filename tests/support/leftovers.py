"""Finds processes that a test run started and did not end, whoever their parent is by now."""

import os
import secrets
import time
from pathlib import Path

VARIABLE = "BATCHPROGRESS_TEST_RUN"
"""Children inherit it, and theirs too: the mark stays when a process is adopted by another."""
END_SECONDS_MAX = 5.0
"""A process that was told to end takes a moment to go."""
POLL_SECONDS = 0.05


def mark_this_run() -> str:
    """Mark the processes that this one starts from now on."""
    mark = secrets.token_hex(8)
    os.environ[VARIABLE] = mark
    return mark


def processes_left(mark: str) -> list[str]:
    """Return the command lines of marked processes that do not end by themselves; none where no /proc is."""
    deadline = time.monotonic() + END_SECONDS_MAX
    while (left := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _marked(mark: str) -> list[str]:
    sought = f"{VARIABLE}={mark}".encode()
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid() and sought in (folder / "environ").read_bytes().split(b"\0"):
                left.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended while we looked, or is another user's
            continue
    return left
