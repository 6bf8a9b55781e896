"""Measures one contestant under one load for one window: rates, latencies and CPU time."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

from bench.load.operating_system import busy_cpu_seconds, cpu_seconds, resident_mib
from bench.load.timed import TimedProcess, Window, timed_process
from bench.load.workload import Pace, Workload
from bench.measure.contestants import Contestant, Driver

LEAD_SECONDS = 0.1
"""The time between announcing a start and starting: enough for every process to read the announcement."""
BUSY_SHARE_MIN = 0.9
"""A load generator that uses at least this share of a core may itself limit the rate."""

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
class WindowRun:
    """What the processes did in one window, and their CPU seconds in it."""

    window: Window
    outcomes: list[Any]
    """The outcome of each load process."""
    server_seconds: float
    store_seconds: float
    machine_seconds: float
    load_seconds: list[float]
    """Of each load process; 0 if the contestant makes its own load."""
    server_mib: float
    """The resident memory of the server processes at the end of the window."""


async def measure(contestant: Contestant, workload: Workload, pace: Pace) -> Measurement:
    """Measure one window.

    Raises:
        Inexact: the contestant's counts differ from what was sent.

    """
    batch_ids = [f"bench-{next(_batch_numbers)}" for _ in range(workload.batches)]
    await contestant.prepare(batch_ids)
    ran = await run_window(contestant, contestant.drivers(workload, batch_ids), pace)
    await contestant.verify(ran.outcomes)
    return _measurement(contestant.name, ran)


async def run_window(contestant: Contestant, drivers: Sequence[Driver], pace: Pace) -> WindowRun:
    """Run load processes against a contestant for one window."""
    async with AsyncExitStack() as stack:
        loads = [await stack.enter_async_context(timed_process(driver.module)) for driver in drivers]
        pairs = list(zip(loads, drivers, strict=True))
        await asyncio.gather(*(load.prepare(driver.plan) for load, driver in pairs))
        window = Window(time.monotonic() + LEAD_SECONDS, pace.warm_up_seconds, pace.measure_seconds)
        for load in loads:
            load.let_go(window)
        before = await _cpu_seconds_at(window.begin, contestant, loads)
        after = await _cpu_seconds_at(window.end, contestant, loads)
        server_mib = sum(map(resident_mib, contestant.server_pids))
        outcomes = await asyncio.gather(*(load.outcome(driver.outcome) for load, driver in pairs))
    used = (end - begin for begin, end in zip(before, after, strict=True))
    server, store, machine, *of_loads = used
    if contestant.drives_itself:
        server, of_loads = sum(of_loads), [0.0]
    return WindowRun(window, outcomes, server, store, machine, of_loads, server_mib)


async def _cpu_seconds_at(
    moment: float, contestant: Contestant, loads: Sequence[TimedProcess]
) -> list[float]:
    """Wait, then return the CPU seconds of the server, the store, the machine and each load process."""
    await asyncio.sleep(moment - time.monotonic())
    return [
        cpu_seconds(contestant.server_pids),
        cpu_seconds(contestant.store_pids),
        busy_cpu_seconds(),
        *(cpu_seconds([load.pid]) for load in loads),
    ]


def _measurement(name: str, ran: WindowRun) -> Measurement:
    seconds = ran.window.measure_seconds
    results = sum(one.results for one in ran.outcomes)
    if not results:
        raise RuntimeError(f"{name} answered nothing within {seconds:g} s")
    latencies = sorted(latency for one in ran.outcomes for latency in one.latencies_ms)
    return Measurement(
        contestant=name,
        calls_per_second=sum(one.calls for one in ran.outcomes) / seconds,
        results_per_second=results / seconds,
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        server_us_per_result=ran.server_seconds / results * 1e6,
        store_us_per_result=ran.store_seconds / results * 1e6,
        generator_share=max(ran.load_seconds) / seconds,
        machine_share=ran.machine_seconds / seconds / (os.cpu_count() or 1),
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest of the ascending values that this percentage of them does not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
