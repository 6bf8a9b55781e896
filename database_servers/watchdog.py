"""Leaving nothing behind, even when the test process is killed.

A shell reads from a pipe whose other end only we hold. However we end, the kernel
closes our end, and the shell kills the server and runs the clean-up command. Why not:

- `atexit` and `finally`: do not run after SIGKILL, which is how CI ends a job;
- PR_SET_PDEATHSIG: fires when the *thread* that started the server ends, so a server
  started in a worker thread dies with the thread; it needs a preexec_fn, which may
  deadlock beside other threads (grpc has many); and it removes no folder.

A child that we fork without exec (multiprocessing's "fork") holds the pipe open too:
the clean-up then waits for that child.
"""

import subprocess
from collections.abc import Sequence

# Each line read is the process to kill at the end, an empty one means none. Removing
# is tried again because a killed server may still be creating a file.
SCRIPT = """
while read -r line; do process_id=$line; done
[ -z "$process_id" ] || kill -KILL "$process_id" 2>/dev/null
for attempt in 1 2 3 4 5; do
    "$@" >/dev/null 2>&1 && exit 0
    sleep 0.2
done
"""
# Removing 200 MB takes well under a second, a container a few.
CLEANUP_SECONDS_MAX = 60.0


class Watchdog:
    """Kills a process and runs a clean-up command when `finish` is called or this process ends."""

    def __init__(self, cleanup: Sequence[str]) -> None:
        """Start watching; there is no process to kill yet."""
        # A session of its own: Ctrl-C in the terminal must not reach it before its work is done.
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "watchdog", *cleanup],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, process_id: int) -> None:
        """Name the process to kill at the end, in place of the one before."""
        self._tell(str(process_id))

    def forget(self) -> None:
        """Say that the process has ended, lest a later one with the same id be killed."""
        self._tell("")

    def finish(self) -> None:
        """Kill and clean up now; return when it is done."""
        self._shell.communicate(timeout=CLEANUP_SECONDS_MAX)

    def _tell(self, line: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{line}\n".encode())
        self._shell.stdin.flush()
