"""Runs a process to its end and measures its duration, CPU time and peak memory."""

import asyncio
import time
from dataclasses import dataclass

from bench.load.operating_system import cpu_seconds, peak_resident_mib
from bench.load.processes import end, launch

POLL_SECONDS = 0.02
"""Between readings of CPU time and memory, which are gone with the process: its last moment is missed."""
SECONDS_MAX = 300
"""Longer than any run takes: a pass over a million jobs takes 20 s."""


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """The figures and the output of a process that has ended."""

    seconds: float
    """From start to end, imports included."""
    cpu_seconds: float
    peak_mib: float
    code: int
    output: str


async def run_and_measure(module: str, *arguments: str, **environment: str) -> ProcessRun:
    """Run `python -m module` to its end and return its figures."""
    began = time.monotonic()
    process = await launch(module, *arguments, environment=environment)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            meter = asyncio.create_task(_meter(process))
            output, _ = await process.communicate()
            seconds = time.monotonic() - began
            cpu, peak = await meter
    finally:
        await end(process)
    return ProcessRun(seconds, cpu, peak, process.returncode or 0, output.decode())


async def _meter(process: asyncio.subprocess.Process) -> tuple[float, float]:
    """Return the last CPU time and peak memory that could be read."""
    cpu = peak = 0.0
    while process.returncode is None:
        try:
            cpu, peak = cpu_seconds([process.pid]), peak_resident_mib(process.pid)
        except (FileNotFoundError, ProcessLookupError, StopIteration):  # it is ending
            break
        await asyncio.sleep(POLL_SECONDS)
    return cpu, peak
