"""The command line as a user has it: a process with pipes, or in a terminal."""

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.progress import ROOT

SECONDS_MAX = 60
"""A command takes half a second, most of it for imports; many times that on a loaded machine."""
ROWS, COLUMNS = 40, 120
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it has answered."""
        return self.out.splitlines()

    @property
    def json(self) -> list[Any]:
        """What it has answered, with --json."""
        return [json.loads(line) for line in self.lines]


class Running:
    """A command with pipes that has not ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a process."""
        self.process = process
        self._out = ""
        self._err = ""

    async def says(self, words: str) -> str:
        """Wait until a line of its answer holds these words; return the line."""
        return await self._line(self.process.stdout, words)

    async def tells(self, words: str) -> str:
        """Wait until a line on standard error holds these words; return the line."""
        return await self._line(self.process.stderr, words)

    async def write(self, text: str) -> None:
        """Write to its input, which stays open."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        await self.process.stdin.drain()

    async def ended(self) -> Ended:
        """Wait for its end, with its input closed; return what was not read yet."""
        async with asyncio.timeout(SECONDS_MAX):
            out, err = await self.process.communicate(b"")  # None would leave the input open
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out.decode(), err.decode())

    async def _line(self, stream: asyncio.StreamReader | None, words: str) -> str:
        assert stream is not None
        async with asyncio.timeout(SECONDS_MAX):
            while line := (await stream.readline()).decode():
                if words in line:
                    return line
        raise AssertionError(f"it ended without saying {words!r}")


class Terminal:
    """A command in a terminal."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        """Take a process and our end of its terminal."""
        self.process = process
        self.raw = ""
        self._terminal = terminal
        self._grown = asyncio.Event()
        asyncio.get_running_loop().add_reader(terminal, self._read)

    @property
    def text(self) -> str:
        """All that was written, without what steers the terminal."""
        return ESCAPES.sub("", self.raw)

    async def shows(self, pattern: str) -> None:
        """Wait until something was written that fits the pattern."""
        async with asyncio.timeout(SECONDS_MAX):
            while re.search(pattern, self.text) is None:
                self._grown.clear()
                await self._grown.wait()

    async def ended(self) -> int:
        """Wait for its end; return its exit code."""
        async with asyncio.timeout(SECONDS_MAX):
            return await self.process.wait()

    def close(self) -> None:
        """Take our end away."""
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)

    def _read(self) -> None:
        try:
            self.raw += os.read(self._terminal, 65_536).decode(errors="replace")
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self._terminal)
        self._grown.set()


class CommandLine:
    """`batchprogress`, told where its server is."""

    def __init__(self, server: str) -> None:
        """Take the server's host:port."""
        self._server = server

    async def run(self, *arguments: str, text: str = "", **environment: str) -> Ended:
        """Run a command to its end."""
        async with self.running(*arguments, **environment) as command:
            await command.write(text)
            return await command.ended()

    @asynccontextmanager
    async def running(self, *arguments: str, **environment: str) -> AsyncIterator[Running]:
        """Run a command; it is killed if it has not ended by the end of the context."""
        pipe = asyncio.subprocess.PIPE
        process = await self._start(arguments, environment, pipe)
        try:
            yield Running(process)
        finally:
            await _killed(process)

    @asynccontextmanager
    async def in_terminal(self, *arguments: str, **environment: str) -> AsyncIterator[Terminal]:
        """Run a command in a terminal of its own; as above."""
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = await self._start(arguments, environment, its)
        os.close(its)
        terminal = Terminal(process, ours)
        try:
            yield terminal
        finally:
            await _killed(process)
            terminal.close()

    async def _start(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], files: int
    ) -> asyncio.subprocess.Process:
        told = {"BATCHPROGRESS_SERVER": self._server, "TERM": "xterm-256color", **environment}
        # What a developer's own terminal says must not change what is tested.
        unset = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "batchprogress", *arguments),
            cwd=ROOT,
            env=inherited | told,
            stdin=files,
            stdout=files,
            stderr=files,
        )


async def _killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
