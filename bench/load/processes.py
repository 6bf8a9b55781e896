"""Starts modules as processes, and ends them: peers, load generators, our server."""

import asyncio
import os
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import grpc

from bench.load.operating_system import children_of
from database_servers.ports import free_port

CHECKOUT = Path(__file__).parents[2]
START_SECONDS_MAX = 120
"""Imports take a second; the rest allows for a busy machine."""
STOP_SECONDS_MAX = 60
"""A gateway drains its viewers first."""
LINE_BYTES_MAX = 2**16
"""The default of asyncio."""
LOG_POLL_SECONDS = 0.05
RECONNECT_MS_MAX = 100
"""The server is up within a second; the default of gRPC waits a second after a refused connection."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A server and its address."""

    pid: int
    target: str
    children: tuple[int, ...] = ()
    """The process ids of its processes besides `pid`."""


async def launch(
    module: str,
    *arguments: str,
    lines_bytes_max: int = LINE_BYTES_MAX,
    environment: Mapping[str, str] | None = None,
    log: IO[bytes] | None = None,
) -> asyncio.subprocess.Process:
    """Start `python -m module` with stdin and stdout on pipes; what it logs goes to `log`, else to stderr."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},  # noqa: TID251  # the environment of a process we start
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=lines_bytes_max,
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs."""
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def peer_process(peer: str, argument: str) -> AsyncIterator[Serving]:
    """Run `python -m bench.peers.PEER ARGUMENT` while the context is open."""
    process = await launch(f"bench.peers.{peer}", argument)
    try:
        assert process.stdout is not None  # for the type checker
        async with asyncio.timeout(START_SECONDS_MAX):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer {peer} did not start: see above")
        yield Serving(process.pid, f"127.0.0.1:{int(line)}")
    finally:
        await end(process)


@asynccontextmanager
async def progress_process(database_url: str, **settings: str) -> AsyncIterator[Serving]:
    """Run our server on a database while the context is open."""
    target = f"127.0.0.1:{free_port()}"
    environment = {"BATCHES_DATABASE_URL": database_url, "PROGRESS_LISTEN": target, **settings}
    with TemporaryFile() as log:
        process = await launch("services.progress", environment=environment, log=log)
        try:
            if not await _serves(target):
                raise RuntimeError(f"the server did not start:\n{_read(log)}")
            async with asyncio.timeout(START_SECONDS_MAX):
                # Of several processes, others still start.
                while '"serving"' not in _read(log):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(LOG_POLL_SECONDS)
            yield Serving(process.pid, target, children_of(process.pid))
        finally:
            await end(process)


def _read(log: IO[bytes]) -> str:
    """Return what a process has logged; the position of the file, which it shares, stays at the end."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode()


@asynccontextmanager
async def gateway_process(progress: str, target: str, **settings: str) -> AsyncIterator[Serving]:
    """Run a gateway of a progress server while the context is open, and let it drain."""
    environment = {"GATEWAY_LISTEN": target, "GATEWAY_PROGRESS_TARGET": progress, **settings}
    process = await launch("services.gateway", environment=environment)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while not await asyncio.to_thread(_answers, target):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.1)
        yield Serving(process.pid, target)
        process.terminate()
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.wait()
    finally:
        await end(process)


def _answers(target: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{target}/health", timeout=1):
            return True
    except OSError:
        return False


async def _serves(target: str) -> bool:
    """Return whether a server answers on a new port in time."""
    options = [("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MAX)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        try:
            await asyncio.wait_for(channel.channel_ready(), START_SECONDS_MAX)
        except TimeoutError:
            return False
        return True
