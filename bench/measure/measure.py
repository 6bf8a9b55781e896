"""Measures one contestant under one load for one window: rates, latencies and CPU time."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count

from bench.load.operating_system import busy_cpu_seconds, cpu_seconds
from bench.load.timed import Outcome, TimedProcess, Window, timed_process
from bench.load.workload import Pace, Workload
from bench.measure.contestants import Contestant

LEAD_SECONDS = 0.1
"""From announcing the start to the start: enough for every process to read it."""
BUSY_SHARE_MIN = 0.9
"""From this share of a core on, a load generator may be what limits the rate."""

_batch_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one window."""

    contestant: str
    calls_per_second: float
    results_per_second: float
    p50_ms: float
    p99_ms: float
    server_us_per_result: float
    """User and system CPU time of the contestant's own processes, without load generator and store."""
    store_us_per_result: float
    """The same of MySQL or Redis; 0 if there is no store or its CPU time cannot be read."""
    generator_share: float
    """The share of a core that the busiest load process used; 0 if the contestant makes its own load."""
    machine_share: float
    """The share of all cores that anything on the machine used."""

    def __str__(self) -> str:
        """Return the figures in one line, printed while the benchmark runs."""
        return (
            f"{self.contestant:28} {self.results_per_second:9,.0f} results/s  p99 {self.p99_ms:7,.0f} ms"
            f"  server {self.server_us_per_result:6.1f} µs  store {self.store_us_per_result:6.1f} µs"
            f"  load generator {self.generator_share:4.0%} of a core  machine {self.machine_share:4.0%}"
        )


@dataclass(frozen=True, slots=True)
class _CpuTimes:
    """CPU seconds used until one moment."""

    server: float
    store: float
    generators: tuple[float, ...]
    machine: float


async def measure(contestant: Contestant, workload: Workload, pace: Pace) -> Measurement:
    """Measure one window.

    Raises:
        Inexact: the contestant's counts differ from what was sent.

    """
    batch_ids = [f"bench-{next(_batch_numbers)}" for _ in range(workload.batches)]
    await contestant.prepare(batch_ids)
    drivers = contestant.drivers(workload, batch_ids)
    async with AsyncExitStack() as stack:
        loads = [await stack.enter_async_context(timed_process(driver.module)) for driver in drivers]
        await asyncio.gather(
            *(load.prepare(driver.plan) for load, driver in zip(loads, drivers, strict=True))
        )
        window = Window(time.monotonic() + LEAD_SECONDS, pace.warm_up_seconds, pace.measure_seconds)
        for load in loads:
            load.let_go(window)
        before = await _cpu_times_at(window.begin, contestant, loads)
        after = await _cpu_times_at(window.end, contestant, loads)
        outcomes = await asyncio.gather(*(load.outcome(Outcome) for load in loads))
    await contestant.verify(outcomes)
    return _measurement(contestant, window, outcomes, before, after)


async def _cpu_times_at(moment: float, contestant: Contestant, loads: Sequence[TimedProcess]) -> _CpuTimes:
    await asyncio.sleep(moment - time.monotonic())
    generators = [load.pid for load in loads]
    servers = [*contestant.server_pids, *(generators if contestant.drives_itself else [])]
    return _CpuTimes(
        server=cpu_seconds(servers),
        store=cpu_seconds(contestant.store_pids),
        generators=tuple(0.0 if contestant.drives_itself else cpu_seconds([pid]) for pid in generators),
        machine=busy_cpu_seconds(),
    )


def _measurement(
    contestant: Contestant, window: Window, outcomes: Sequence[Outcome], before: _CpuTimes, after: _CpuTimes
) -> Measurement:
    seconds = window.measure_seconds
    calls, results = sum(one.calls for one in outcomes), sum(one.results for one in outcomes)
    if not results:
        raise RuntimeError(f"{contestant.name} answered nothing within {seconds:g} s")
    latencies = sorted(latency for one in outcomes for latency in one.latencies_ms)
    generators = (end - begin for begin, end in zip(before.generators, after.generators, strict=True))
    return Measurement(
        contestant=contestant.name,
        calls_per_second=calls / seconds,
        results_per_second=results / seconds,
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        server_us_per_result=(after.server - before.server) / results * 1e6,
        store_us_per_result=(after.store - before.store) / results * 1e6,
        generator_share=max(generators) / seconds,
        machine_share=(after.machine - before.machine) / seconds / (os.cpu_count() or 1),
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest of the ascending values that this percentage of them does not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
