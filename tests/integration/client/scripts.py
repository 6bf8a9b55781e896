"""Worker processes: short scripts that use the client."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from textwrap import dedent

from tests.support.progress import ROOT

SECONDS_MAX = 60.0
"""A script takes a second; one that takes so long hangs."""


class Script:
    """A running script."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def prints(self, line: str) -> None:
        """Wait until it has printed a line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS_MAX):
            while (said := await self._process.stdout.readline()).decode().strip() != line:
                assert said, f"it ended without printing {line!r}"

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def send_to_group(self, number: int) -> None:
        """Send a signal to the process group that it leads."""
        os.killpg(self._process.pid, number)

    async def ended(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit code (-N after signal N) and its standard error."""
        async with asyncio.timeout(SECONDS_MAX):
            _, errors = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, errors.decode()

    def kill(self) -> None:
        """Kill it if it is still running."""
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def script(source: str, *arguments: str, **environment: str) -> AsyncIterator[Script]:
    """Run Python source in a process of its own, which is killed when the context ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        dedent(source),
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Script(process)
    try:
        yield running
    finally:
        running.kill()
        await process.wait()


async def run(source: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a script to its end; return its exit code and its standard error."""
    async with script(source, *arguments, **environment) as running:
        return await running.ended()
