"""A process that is run to its end: how long it took, its CPU time, the most memory it had."""

import asyncio
import time
from dataclasses import dataclass

from bench.measure.operating_system import cpu_seconds, peak_resident_mib
from bench.measure.processes import end, launch

POLL_SECONDS = 0.02
"""Between looks at CPU time and memory, which end with the process: what its last moment adds is not seen."""
SECONDS_MAX = 300
"""Longer than any takes: a million jobs are some 20 s."""


@dataclass(frozen=True, slots=True)
class Metered:
    """What was seen of a process."""

    seconds: float
    """From its start to its end, imports included."""
    cpu_seconds: float
    peak_mib: float
    code: int
    output: str


async def run_metered(module: str, *arguments: str, **environment: str) -> Metered:
    """Run `python -m module` to its end."""
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
    return Metered(seconds, cpu, peak, process.returncode or 0, output.decode())


async def _meter(process: asyncio.subprocess.Process) -> tuple[float, float]:
    """Return the CPU time and the peak memory as they were last seen."""
    cpu = peak = 0.0
    while process.returncode is None:
        try:
            cpu, peak = cpu_seconds([process.pid]), peak_resident_mib(process.pid)
        except (FileNotFoundError, ProcessLookupError, StopIteration):  # it is ending
            break
        await asyncio.sleep(POLL_SECONDS)
    return cpu, peak
