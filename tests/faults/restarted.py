"""A program that a test kills and starts again, and whose standard output it reads."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.progress import ROOT, START_SECONDS_MAX

LINE_BYTES_MAX = 2**20


class Restarted:
    """A module that is run as a program; its first line says that it is ready.

    Args:
        module: The module and its arguments.
        environment: Its settings.
        log: The file to which its standard error is appended.
        on_line: Is called with each further line; a line that the kill has cut is dropped.

    """

    def __init__(
        self, module: Sequence[str], environment: Mapping[str, str], log: Path, on_line: Callable[[str], None]
    ) -> None:
        self._module = module
        self._environment = {**os.environ, **environment}
        self._log = log
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self._module),
                cwd=ROOT,
                env=self._environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE_BYTES_MAX,
            )
        async with asyncio.timeout(START_SECONDS_MAX):
            assert await self._read_line(), self._log.read_text()
        self._reading = asyncio.create_task(self._read_on())

    async def kill(self) -> None:
        """Kill it, and read what it had written."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def _read_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return line.decode() if line.endswith(b"\n") else ""

    async def _read_on(self) -> None:
        while line := await self._read_line():
            self._on_line(line)


@asynccontextmanager
async def restarted(
    module: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Restarted]:
    """Run a program while the context is open."""
    one = Restarted(module, environment, log, on_line)
    try:
        await one.start()
        yield one
    finally:
        await one.kill()
