"""Processes that work in one common window of time: started, let go together, asked for their outcome.

Parent and process speak by lines: the plan (JSON) goes in, "ready" comes out, the moment to
start goes in, the outcome (JSON) comes out. Moments are of the monotonic clock, which all
processes of a machine share.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from bench.measure.processes import end, launch

OUTCOME_BYTES_MAX = 64 * 2**20
"""A line with every latency of a window: some 10 bytes each."""
READY_SECONDS_MAX = 60
"""Imports and prepared requests take a second or two; the rest is for a busy machine."""
AFTER_WINDOW_SECONDS_MAX = 120
"""Calls under way are finished, then every answer is read: seconds, on a slow peer more."""

LINGER_SECONDS = 0.5
"""How late the parent may be, on a busy machine."""

Told = TypeVar("Told")
"""What a kind of process tells at its end: a dataclass of plain values."""


@dataclass(frozen=True, slots=True)
class Window:
    """Work goes on from `start`; what ends between `begin` and `end` is measured."""

    start: float
    warm_up_seconds: float
    measure_seconds: float

    @property
    def begin(self) -> float:
        """When measuring begins."""
        return self.start + self.warm_up_seconds

    @property
    def end(self) -> float:
        """When measuring ends and no more work is begun."""
        return self.begin + self.measure_seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process did; the first three in the window, the others from start to end."""

    calls: int
    results: int
    latencies_ms: list[float]
    jobs: dict[str, int]
    """Different jobs whose result was sent, by batch."""
    sent: int
    """Results sent, copies among them; every one was answered without an error."""
    recorded: int
    """Results that were answered RECORDED."""


class TimedProcess:
    """The parent's end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a process that was just started."""
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def prepare(self, plan: Mapping[str, Any]) -> None:
        """Tell the plan and wait until the process is ready."""
        self._write(json.dumps(plan))
        async with asyncio.timeout(READY_SECONDS_MAX):
            await self._read()

    def let_go(self, window: Window) -> None:
        """Tell when to start."""
        self._write(json.dumps(asdict(window)))

    async def outcome(self, kind: type[Told]) -> Told:
        """Wait for the end, and return what is told."""
        async with asyncio.timeout(AFTER_WINDOW_SECONDS_MAX):
            return kind(**json.loads(await self._read()))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101  # for the type checker
        self._process.stdin.write(line.encode() + b"\n")

    async def _read(self) -> str:
        assert self._process.stdout is not None  # noqa: S101
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a timed process ended early, code {await self._process.wait()}: see above")
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
    """Return the plan; called by the process itself, as are the following."""
    return dict(json.loads(sys.stdin.readline()))


async def wait_for_window() -> Window:
    """Say that all is ready, and return once the window has started."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    window = Window(**json.loads(await asyncio.to_thread(sys.stdin.readline)))
    await asyncio.sleep(window.start - asyncio.get_running_loop().time())
    return window


async def outlast(window: Window) -> None:
    """Stay until the parent has read this process's CPU time at the window's end, if all is done earlier."""
    await asyncio.sleep(window.end + LINGER_SECONDS - asyncio.get_running_loop().time())


def write_outcome(outcome: Any) -> None:
    """Tell what was done."""
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    sys.stdout.flush()
