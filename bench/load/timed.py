"""Processes that work during one common window of time.

Parent and process exchange lines: the process reads its plan (JSON), prints "ready", reads the
window (JSON) and prints its outcome (JSON). Times are of the monotonic clock, which all processes of
a machine share.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.load.processes import end, launch

OUTCOME_BYTES_MAX = 64 * 2**20
"""The outcome is one line with every latency of a window, of about 10 bytes each."""
READY_SECONDS_MAX = 60
"""Imports and prepared requests take a second or two; the rest allows for a busy machine."""
AFTER_WINDOW_SECONDS_MAX = 120
"""Pending calls are finished and every answer is read, which takes seconds, more with a slow peer."""

LINGER_SECONDS = 0.5
"""How late the parent may read the CPU times on a busy machine."""


@dataclass(frozen=True, slots=True)
class Window:
    """Load is sent from `start` on; calls that end between `begin` and `end` are measured."""

    start: float
    warm_up_seconds: float
    measure_seconds: float

    @property
    def begin(self) -> float:
        """When the measurement begins, after the warm-up."""
        return self.start + self.warm_up_seconds

    @property
    def end(self) -> float:
        """When the measurement ends; no call begins later."""
        return self.begin + self.measure_seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process did; the first three fields in the window, the others over its whole life."""

    calls: int
    results: int
    latencies_ms: list[float]
    jobs: dict[str, int]
    """The number of different jobs that were reported, by batch."""
    sent: int
    """Results that were sent, copies included; each was answered without an error."""
    recorded: int
    """Results that were answered RECORDED."""


class TimedProcess:
    """A timed process, as its parent controls it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def prepare(self, plan: Mapping[str, Any]) -> None:
        """Send the plan and wait until the process is ready."""
        self._write(json.dumps(plan))
        async with asyncio.timeout(READY_SECONDS_MAX):
            await self._read()

    def let_go(self, window: Window) -> None:
        """Send the window."""
        self._write(json.dumps(asdict(window)))

    async def outcome(self, kind: type) -> Any:
        """Wait for the end of the process and return its outcome, a dataclass of plain values."""
        async with asyncio.timeout(AFTER_WINDOW_SECONDS_MAX):
            return kind(**json.loads(await self._read()))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None  # for the type checker
        self._process.stdin.write(line.encode() + b"\n")

    async def _read(self) -> str:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"a timed process ended early with exit code {await self._process.wait()}: see above"
            )
        return line.decode()


@asynccontextmanager
async def timed_process(module: str) -> AsyncIterator[TimedProcess]:
    """Run a module as a timed process while the context is open."""
    process = await launch(module, lines_bytes_max=OUTCOME_BYTES_MAX)
    try:
        yield TimedProcess(process)
    finally:
        await end(process)


def read_plan() -> dict[str, Any]:
    """Return the plan; this and the functions below are for the process itself."""
    return dict(json.loads(sys.stdin.readline()))


async def wait_for_window() -> Window:
    """Report that the process is ready, and return when the window starts."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    window = Window(**json.loads(await asyncio.to_thread(sys.stdin.readline)))
    await asyncio.sleep(window.start - asyncio.get_running_loop().time())
    return window


async def outlast(window: Window) -> None:
    """Keep the process alive until the parent has read its CPU time at the end of the window."""
    await asyncio.sleep(window.end + LINGER_SECONDS - asyncio.get_running_loop().time())


def write_outcome(outcome: Any) -> None:
    """Print the outcome."""
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    sys.stdout.flush()
