"""The command line as a user runs it: a process with pipes, or in a terminal."""

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
"""A command takes half a second, mostly for imports, and many times that on a loaded machine."""
ROWS, COLUMNS = 40, 120
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of its standard output."""
        return self.out.splitlines()

    @property
    def json(self) -> list[Any]:
        """The objects that it printed with --json."""
        return [json.loads(line) for line in self.lines]


class Running:
    """A running command with pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._out = ""
        self._err = ""

    async def prints(self, words: str) -> str:
        """Wait for a line on standard output with these words, and return it."""
        return await self._line(self.process.stdout, words)

    async def warns(self, words: str) -> str:
        """Wait for a line on standard error with these words, and return it."""
        return await self._line(self.process.stderr, words)

    async def write(self, text: str) -> None:
        """Write to its standard input, which stays open."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        await self.process.stdin.drain()

    async def ended(self) -> Ended:
        """Close its standard input, wait for its end, and return the output that was not read yet."""
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
        raise AssertionError(f"it ended without printing {words!r}")


class Terminal:
    """A running command in a terminal."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self.process = process
        self.raw = ""
        self._terminal = terminal
        self._grown = asyncio.Event()
        asyncio.get_running_loop().add_reader(terminal, self._read)

    @property
    def text(self) -> str:
        """Everything that was written, without escape sequences."""
        return ESCAPES.sub("", self.raw)

    def type(self, text: str) -> None:
        """Type some text."""
        os.write(self._terminal, text.encode())

    async def shows(self, pattern: str) -> None:
        """Wait until the pattern occurs in what was written."""
        async with asyncio.timeout(SECONDS_MAX):
            while re.search(pattern, self.text) is None:
                self._grown.clear()
                await self._grown.wait()

    async def ended(self) -> int:
        """Wait for its end and return its exit code."""
        async with asyncio.timeout(SECONDS_MAX):
            return await self.process.wait()

    def close(self) -> None:
        """Close the terminal."""
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)

    def _read(self) -> None:
        try:
            self.raw += os.read(self._terminal, 65_536).decode(errors="replace")
        except OSError:  # the command has closed its end
            asyncio.get_running_loop().remove_reader(self._terminal)
        self._grown.set()


class CommandLine:
    """The command `batchprogress`, configured for a server."""

    def __init__(self, server: str) -> None:
        self._server = server

    async def run(self, *arguments: str, text: str = "", **environment: str) -> Ended:
        """Run a command until it ends."""
        async with self.running(*arguments, **environment) as command:
            await command.write(text)
            return await command.ended()

    @asynccontextmanager
    async def running(self, *arguments: str, **environment: str) -> AsyncIterator[Running]:
        """Run a command; the end of the context kills it if it still runs."""
        pipe = asyncio.subprocess.PIPE
        process = await self._start(arguments, environment, pipe)
        try:
            yield Running(process)
        finally:
            await _killed(process)

    @asynccontextmanager
    async def in_terminal(self, *arguments: str, **environment: str) -> AsyncIterator[Terminal]:
        """Run a command in a terminal of its own; the end of the context kills it if it still runs."""
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
        given = {"BATCHPROGRESS_SERVER": self._server, "TERM": "xterm-256color", **environment}
        # The settings of the developer's own terminal must not change the test.
        unset = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "batchprogress", *arguments),
            cwd=ROOT,
            env=inherited | given,
            stdin=files,
            stdout=files,
            stderr=files,
        )


async def _killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
