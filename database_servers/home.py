"""The temporary folder of a server of our own, and its process."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from database_servers.errors import DatabaseServerFailed
from database_servers.watchdog import Watchdog

LOG_LINES_SHOWN = 20
POLL_SECONDS = 0.05
"""Short compared with a start, long compared with an attempt to connect."""


class ServerHome:
    """A folder and at most one process, both gone after `remove` or the end of this process.

    Args:
        name: Part of the name of the folder.

    """

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"batchprogress-{name}-"))
        self._watchdog = Watchdog(["rm", "-rf", "--", str(self.folder)])
        self._process: subprocess.Popen[bytes] | None = None
        self.data = self.folder / "data"
        self.data.mkdir()

    def launch(self, command: Sequence[str], stdin: Path | None = None) -> None:
        """Start the process; its output goes to the log."""
        with (
            (self.folder / "server.log").open("ab") as log,
            (stdin or Path("/dev/null")).open("rb") as source,
        ):
            # In its own session: Ctrl-C must reach only the tests, which then stop the server.
            self._process = subprocess.Popen(
                command, stdin=source, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        self._watchdog.watch(self._process.pid)

    @property
    def process_id(self) -> int:
        """The id of the running process; 0 if none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it runs; otherwise its id may be that of another one."""
        if self._process is not None and self.process_id:
            self._process.send_signal(number)

    def wait(self, seconds_max: float) -> int | None:
        """Return the exit code; None if the process still runs after `seconds_max`."""
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            return None

    def wait_until(self, answers: Callable[[], bool], *, name: str, seconds_max: float) -> None:
        """Wait until the process answers.

        Args:
            answers: Returns whether it does.
            name: Its name, for the message of the error.
            seconds_max: How long it may take.

        Raises:
            DatabaseServerFailed: It has ended, or did not answer in time.

        """
        deadline = time.monotonic() + seconds_max
        while not answers():
            if not self.process_id or time.monotonic() > deadline:
                raise DatabaseServerFailed(f"{name} did not start. The end of its log:\n{self.log_end()}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """Kill the process if there is one."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._watchdog.forget()
            self._process = None

    def remove(self) -> None:
        """Kill the process and remove the folder."""
        self.kill()
        self._watchdog.finish()

    def log_end(self) -> str:
        """Return the last lines of the log."""
        log = self.folder / "server.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        return "\n".join(text.splitlines()[-LOG_LINES_SHOWN:])
