"""Compares PROGRESS_PROCESSES=2 and 3 with one process, on one batch and on many."""

from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import median

from bench.load.workload import UNARY
from bench.measure.measure import Measurement
from bench.measure.run import Run
from bench.report.results import (
    Comparison,
    Row,
    at_least,
    at_most,
    compare,
    results_per_second,
    server_us,
)

PROCESSES = (1, 2, 3)
BATCHES = 64
"""About 16 workers each, as with many small batches at the same time."""
LOSS_RATIO_MIN = 0.9
"""No loss, since rounds differ by a tenth on a quiet machine."""
GROWTH_RATIO_MIN = 1.2
"""Growth: clearly more than rounds differ by."""
CPU_RATIO_MAX = 1.1
"""What two processes may cost more than one: each has smaller groups of results, and so more transactions."""
FULL_SHARE_MIN = 0.9
"""From this share of all cores on, the machine is full and the rate cannot grow."""


async def measure_row(run: Run) -> list[Row]:
    """Measure each number of processes on one batch, then on many."""
    async with AsyncExitStack() as stack:
        contestants = [
            await stack.enter_async_context(run.ours(_name(processes), processes=processes))
            for processes in PROCESSES
        ]
        one_batch = await run.take_turns(dict.fromkeys(contestants, UNARY))
        many_batches = await run.take_turns(dict.fromkeys(contestants, replace(UNARY, batches=BATCHES)))
    return [
        Row("Unary, 1,037 workers, one batch", one_batch, _compare_with_one(one_batch, grows=False)),
        Row(
            f"Unary, 1,037 workers, {BATCHES} batches",
            many_batches,
            _compare_with_one(many_batches, grows=True),
        ),
    ]


def _name(processes: int) -> str:
    return f"ours, {processes} process{'es' if processes > 1 else ''}"


def _compare_with_one(seen: dict[str, list[Measurement]], *, grows: bool) -> list[Comparison]:
    one, *others = seen.values()
    is_full = median(measurement.machine_share for measurement in one) >= FULL_SHARE_MIN
    target = at_least(GROWTH_RATIO_MIN if grows and not is_full else LOSS_RATIO_MIN)
    note = "one process already uses all cores, so the target is no loss" if grows and is_full else ""
    rates = [
        compare(f"results/s of {them[0].contestant}", results_per_second, them, one, target, note)
        for them in others
    ]
    costs = [
        compare(
            f"server CPU per result of {them[0].contestant}, µs",
            server_us,
            them,
            one,
            at_most(CPU_RATIO_MAX) if them is others[0] else None,
        )
        for them in others
    ]
    return rates + costs
