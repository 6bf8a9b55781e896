"""The processes of the story: started, listened to, and ended, whatever happens."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PROJECT = Path(__file__).parents[1]
STOP_SECONDS_MAX = 10.0
"""Twice what the servers may drain; what has not ended by then never will."""
LAST_WORDS_LINES = 12
"""A traceback's interesting end."""
_SETTINGS_PREFIXES = ("BATCHES_", "PROGRESS_", "JOB_STATUS_", "RECONCILER_", "DASHBOARD_")
"""Of the environment none of these is handed on: the reconciler must never meet a user's own database."""


class StoryError(Exception):
    """The story did not come out as it is told; the text says where."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended by itself."""

    exit_code: int
    """Negative: the signal that killed it."""
    output: str


class Processes:
    """Every process that was started; leaving the context ends those that still run."""

    def __init__(self, log_file: Path) -> None:
        """Take the file for all that they write to standard error."""
        self._log_file = log_file
        self._running: set[Process] = set()

    async def start(self, module: str, settings: Mapping[str, str]) -> Process:
        """Start a module that runs until it is stopped; its log is for the caller, who must read it."""
        return await self._start((module,), settings, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)

    def log(self, line: str) -> None:
        """Keep a line of a process that was started."""
        with self._log_file.open("a") as log:
            log.write(line)

    def last_words(self) -> str:
        """Return the end of the log, for when the story went wrong."""
        lines = self._log_file.read_text().splitlines() if self._log_file.exists() else []
        return "\n".join(lines[-LAST_WORDS_LINES:])

    async def run(
        self, module: str, *arguments: str, settings: Mapping[str, str] | None = None, given: bytes = b""
    ) -> Ended:
        """Run a module to its end, with something on its standard input."""
        with self._log_file.open("a") as log:
            command = (module, *arguments)
            process = await self._start(command, settings or {}, stdin=PIPE, stdout=PIPE, stderr=log.fileno())
        output, _ = await process.communicate(given)
        return Ended(self._ended(process), output.decode())

    async def stop(self, process: Process) -> int:
        """Ask a process to end and return its exit code; kill it if it does not."""
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        return self._ended(process)

    async def __aenter__(self) -> Self:
        """Nothing runs yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs, all at once."""
        await asyncio.gather(*(self.stop(process) for process in tuple(self._running)))

    async def _start(
        self, command: Sequence[str], settings: Mapping[str, str], *, stdin: int, stdout: int, stderr: int
    ) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            cwd=PROJECT,
            env=_environment(settings),
            # A Ctrl-C in the terminal is for the story alone: it ends its processes in order.
            process_group=0,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        self._running.add(process)
        return process

    def _ended(self, process: Process) -> int:
        self._running.discard(process)
        if process.returncode is None:
            raise StoryError("a process has closed its output and runs on")
        return process.returncode


def children_left() -> bool:
    """Tell whether this process has a child, running or not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    ours = os.environ  # noqa: TID251  # read for no setting: handed on, without any
    inherited = {name: value for name, value in ours.items() if not name.startswith(_SETTINGS_PREFIXES)}
    # A proxy of the user's has no way to a server on this machine's loopback.
    return {**inherited, "no_grpc_proxy": "127.0.0.1", **settings}


def killed(ended: Ended) -> bool:
    """Tell whether a process was killed."""
    return ended.exit_code == -signal.SIGKILL
