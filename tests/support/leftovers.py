"""Finds processes that a test run started and did not end, even if their parent has ended."""

import os
import secrets
import time
from pathlib import Path

VARIABLE = "BATCHPROGRESS_TEST_RUN"
"""All descendants inherit this variable, also after their parent has ended."""
END_SECONDS_MAX = 5.0
"""Time for processes that were told to end."""
POLL_SECONDS = 0.05
OF_PYTHON = b"multiprocessing.resource_tracker"
"""Python starts one for spawned processes, and it lives as long as the process that started it."""


def mark_this_run() -> str:
    """Mark all processes that this one will start, and return the mark."""
    mark = secrets.token_hex(8)
    os.environ[VARIABLE] = mark
    return mark


def processes_left(mark: str) -> list[str]:
    """Return the command lines of marked processes that do not end; always empty without /proc."""
    deadline = time.monotonic() + END_SECONDS_MAX
    while (left := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _marked(mark: str) -> list[str]:
    sought = f"{VARIABLE}={mark}".encode()
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            is_ours = int(folder.name) == os.getpid() or OF_PYTHON in command
            if not is_ours and sought in (folder / "environ").read_bytes().split(b"\0"):
                left.append(command.replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has just ended, or belongs to another user
            continue
    return left
