"""Leaves nothing behind, even if the test process is killed.

A shell reads from a pipe whose other end only this process holds. However this process ends, the
kernel closes that end, and the shell kills the server and runs the cleanup command. Alternatives fail:

- `atexit` and `finally` do not run after SIGKILL, with which CI ends a job.
- PR_SET_PDEATHSIG fires when the *thread* that started the server ends; it needs a preexec_fn,
  which may deadlock with other threads (grpc has many); and it removes no folder.

A child that is forked without exec (multiprocessing's "fork") holds the pipe open, too: the cleanup
then waits for that child.
"""

import subprocess
from collections.abc import Sequence

# Each line is the process to kill at the end; an empty one means none. Removing is
# repeated, since a killed server may still create a file.
SCRIPT = """
while read -r line; do process_id=$line; done
[ -z "$process_id" ] || kill -KILL "$process_id" 2>/dev/null
for attempt in 1 2 3 4 5; do
    "$@" >/dev/null 2>&1 && exit 0
    sleep 0.2
done
"""
# 200 MB are removed in less than a second, a container in a few.
CLEANUP_SECONDS_MAX = 60.0


class Watchdog:
    """Kills a process and runs a cleanup command at `finish` or at the end of this process.

    Args:
        cleanup: The command.

    """

    def __init__(self, cleanup: Sequence[str]) -> None:
        # In its own session: Ctrl-C in the terminal must not end it before its work is done.
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "watchdog", *cleanup],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, process_id: int) -> None:
        """Set the process to kill at the end."""
        self._tell(str(process_id))

    def forget(self) -> None:
        """Forget the process, which has ended: a later one may have the same id."""
        self._tell("")

    def finish(self) -> None:
        """Kill the process, clean up, and wait until this is done."""
        self._shell.communicate(timeout=CLEANUP_SECONDS_MAX)

    def _tell(self, line: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{line}\n".encode())
        self._shell.stdin.flush()
