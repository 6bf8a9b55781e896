"""Compares the cost of a report on large tables of results with the cost on a small one."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from functools import partial
from statistics import median

from bench.load.filled_tables import fill
from bench.load.workload import MANY
from bench.measure.contestants import OurServer
from bench.measure.measure import Measurement
from bench.measure.run import Run
from bench.report.results import (
    Plot,
    Row,
    at_least,
    at_most,
    compare,
    p99_ms,
    results_per_second,
    server_and_store_us,
)

ROWS = (10_000, 1_000_000, 10_000_000)
ROWS_QUICK = (10_000, 100_000)
JOBS_PER_BATCH = 10_000
"""The existing rows belong to many completed batches, as in real tables."""
COST_RATIO_MAX = 1.3
RATE_RATIO_MIN = 0.77
"""The same bound for the rate."""
LOAD = replace(MANY, batches=64)
"""Many results per call, so that tables cost more than gRPC; several batches grow at the same time."""


async def measure_row(run: Run) -> list[Row]:
    """Measure all sizes in turns."""
    async with AsyncExitStack() as stack:
        contestants = {
            rows: await stack.enter_async_context(_filled(run, rows))
            for rows in (ROWS if run.pace.is_full else ROWS_QUICK)
        }
        for contestant in contestants.values():
            contestant.checks_each_window = False
        load = LOAD.prepared_for(run.pace)
        seen = await run.take_turns(dict.fromkeys(contestants.values(), load))
        for contestant in contestants.values():
            await contestant.check()
    first, *larger = seen.values()
    row = Row(f"500 results per call, 16 callers, {LOAD.batches} batches, on tables of different sizes", seen)
    for them in larger:
        row.comparisons += [
            compare(
                f"server + store CPU per result on {them[0].contestant}, µs",
                server_and_store_us,
                them,
                first,
                at_most(COST_RATIO_MAX),
            ),
            compare(
                f"results/s on {them[0].contestant}",
                results_per_second,
                them,
                first,
                at_least(RATE_RATIO_MIN),
            ),
            compare(f"p99 on {them[0].contestant}, ms", p99_ms, them, first),
        ]
    row.plots.append(_plot(dict(zip(contestants, seen.values(), strict=True))))
    return [row]


def _filled(run: Run, rows: int) -> AbstractAsyncContextManager[OurServer]:
    return run.ours(f"{rows:,} rows", fill=partial(fill, batches=rows // JOBS_PER_BATCH, jobs=JOBS_PER_BATCH))


def _plot(seen: dict[int, list[Measurement]]) -> Plot:
    return Plot(
        name="cost-by-table-size",
        title="The cost of a result",
        x="rows in the table of results",
        y="CPU time of server and store, µs",
        lines={"ours": [(rows, median(map(server_and_store_us, rounds))) for rows, rounds in seen.items()]},
    )
