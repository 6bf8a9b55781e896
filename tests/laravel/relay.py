"""Our relay, which sends what PHP writes to a socket."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.eventually import SECONDS_MAX, eventually
from tests.support.progress import ROOT

SCRIPT = ROOT / "examples/laravel/relay.py"


@asynccontextmanager
async def relay(socket: Path, target: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the relay while the context is open, and end it like Supervisor does."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT), str(socket), target), stderr=output
        )
    try:
        await eventually(socket.exists)
        yield process
        if process.returncode is None:
            process.terminate()  # a test may have ended it
        async with asyncio.timeout(SECONDS_MAX):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
