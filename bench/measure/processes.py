"""Starting this benchmark's own modules as processes, and ending them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
START_SECONDS_MAX = 30
"""Imports take a second; the rest is for a busy machine."""
LINE_BYTES_MAX = 2**16
"""asyncio's own default."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A server process and where it serves."""

    pid: int
    target: str


async def launch(
    module: str,
    *arguments: str,
    lines_bytes_max: int = LINE_BYTES_MAX,
    environment: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    """Start `python -m module` with its input and output on pipes; it ends when its input does."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},  # noqa: TID251  # the environment of a process we start
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=lines_bytes_max,
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a process if it has not ended."""
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def peer_process(peer: str, argument: str) -> AsyncIterator[Serving]:
    """Run `python -m bench.peers.PEER` while the context is open; the argument is its own to read."""
    process = await launch(f"bench.peers.{peer}", argument)
    try:
        assert process.stdout is not None  # noqa: S101  # for the type checker
        async with asyncio.timeout(START_SECONDS_MAX):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer {peer} did not start: see above")
        yield Serving(process.pid, f"127.0.0.1:{int(line)}")
    finally:
        await end(process)
