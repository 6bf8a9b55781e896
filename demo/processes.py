"""The processes of the story: started, read, and ended in every case."""

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
"""Twice the time in which the servers drain."""
LAST_WORDS_LINES = 12
"""The end of a traceback."""
_SETTINGS_PREFIXES = ("BATCHES_", "PROGRESS_", "JOB_STATUS_", "RECONCILER_", "GATEWAY_", "NOTIFIER_")
"""Settings in the environment that are not passed on: the reconciler must never reach a user's database."""


class StoryError(Exception):
    """Something did not happen as in the story; the text says what."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code and the output of a process that has ended."""

    exit_code: int
    """If negative, the signal that killed the process."""
    output: str


class Processes:
    """All processes of the story; the end of the context ends those that still run.

    Args:
        log_file: Receives what the processes write to stderr.

    """

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file
        self._running: set[Process] = set()

    async def start(self, module: str, settings: Mapping[str, str]) -> Process:
        """Start a module that runs until it is stopped; the caller has to read its stderr."""
        return await self._start((module,), settings, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)

    def log(self, line: str) -> None:
        """Write a line of a started process to the log file."""
        with self._log_file.open("a", encoding="utf-8") as log:
            log.write(line)

    def last_words(self) -> str:
        """Return the end of the log file."""
        text = self._log_file.read_text(encoding="utf-8", errors="replace") if self._log_file.exists() else ""
        lines = text.splitlines()
        return "\n".join(lines[-LAST_WORDS_LINES:])

    async def run(
        self, module: str, *arguments: str, settings: Mapping[str, str] | None = None, given: bytes = b""
    ) -> Ended:
        """Run a module to its end, with `given` on its stdin."""
        with self._log_file.open("a") as log:
            command = (module, *arguments)
            process = await self._start(command, settings or {}, stdin=PIPE, stdout=PIPE, stderr=log.fileno())
        output, _ = await process.communicate(given)
        return Ended(self._ended(process), output.decode())

    async def stop(self, process: Process) -> int:
        """End a process with SIGTERM, or SIGKILL after a while, and return its exit code."""
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
        """Return the processes."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all processes that still run, at the same time."""
        await asyncio.gather(*(self.stop(process) for process in tuple(self._running)))

    async def _start(
        self, command: Sequence[str], settings: Mapping[str, str], *, stdin: int, stdout: int, stderr: int
    ) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            cwd=PROJECT,
            env=environment_with(settings),
            # Ctrl-C in the terminal must reach the story only, which ends its processes in order.
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
            raise StoryError("a process closed its output but did not end")
        return process.returncode


def children_left() -> bool:
    """Return whether this process has children, running or not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def environment_with(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: that of this one, with these settings instead of its own."""
    ours = os.environ  # noqa: TID251  # passed on without the settings in it
    inherited = {name: value for name, value in ours.items() if not name.startswith(_SETTINGS_PREFIXES)}
    return {**inherited, **settings}


def bypass_proxies() -> None:
    """Reach the servers directly, from this process and those it starts: a proxy has no way to loopback."""
    os.environ.update(no_grpc_proxy="127.0.0.1")  # noqa: TID251  # read by gRPC


def killed(ended: Ended) -> bool:
    """Return whether a process was killed."""
    return ended.exit_code == -signal.SIGKILL
