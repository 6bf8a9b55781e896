"""The programs of the clients in other languages, copied out of the checkout and installed."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from database_servers.errors import CommandFailed, PackageUnavailable
from tests.support import not_run
from tests.support.go import go
from tests.support.npm import packages
from tests.support.progress import ROOT

RUN_SECONDS_MAX = 60.0
NAMES = ("create", "watch", "worker")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int | None
    lines: list[str]
    errors: str


class Running:
    """A program that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        async with asyncio.timeout(RUN_SECONDS_MAX):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def complaint(self) -> str:
        """Return the next line of its standard error."""
        assert self._process.stderr is not None
        async with asyncio.timeout(RUN_SECONDS_MAX):
            return (await self._process.stderr.readline()).decode().rstrip("\n")

    async def write(self, *lines: object) -> None:
        """Write lines to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        await self._process.stdin.drain()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def ended(self, *, input_ends: bool = True) -> Ended:
        """Wait for its end, after closing its standard input."""
        if input_ends:
            assert self._process.stdin is not None
            self._process.stdin.close()
        async with asyncio.timeout(RUN_SECONDS_MAX):
            output, errors = await self._process.communicate()
        return Ended(self._process.returncode, output.decode().splitlines(), errors.decode())


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one client."""

    commands: Mapping[str, tuple[str, ...]]
    folder: Path

    @asynccontextmanager
    async def running(
        self, name: str, *arguments: str, server: str, **environment: str
    ) -> AsyncIterator[Running]:
        """Run a program while the context is open."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self.commands[name],
            *arguments,
            cwd=self.folder,
            env={**os.environ, "BATCHPROGRESS_SERVER": server, **environment},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        try:
            yield Running(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def run(self, name: str, *arguments: str, server: str, **environment: str) -> Ended:
        """Run a program to its end."""
        async with self.running(name, *arguments, server=server, **environment) as program:
            return await program.ended()


def node_programs(folder: Path) -> Programs:
    """Copy clients/node into a folder and install what it needs, as `npm ci` does."""
    copy = _copied("node", folder)
    (copy / "node_modules").symlink_to(packages(copy))
    return Programs({name: ("node", f"programs/{name}.js") for name in NAMES}, copy)


def go_programs(folder: Path, further: Mapping[str, Path] = MappingProxyType({})) -> Programs:
    """Copy clients/go into a folder and build its programs, and further ones by their sources."""
    try:
        found = go()
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"no Go: {error}")
    copy = _copied("go", folder)
    for name, source in further.items():
        (copy / "cmd" / name).mkdir()
        shutil.copy(source, copy / "cmd" / name)
    found.build(copy)
    return Programs({name: (str(copy / "bin" / name),) for name in NAMES}, copy)


LANGUAGES: Mapping[str, Callable[[Path], Programs]] = {"node": node_programs, "go": go_programs}


def _copied(name: str, folder: Path) -> Path:
    """Copy a client as somebody does who takes it out of a checkout."""
    ignored = shutil.ignore_patterns("node_modules")
    return Path(shutil.copytree(ROOT / "clients" / name, folder / name, ignore=ignored))
