"""Measures an overloaded server: what it still records, how fast, and how it refuses the rest.

The knee is the rate of a closed loop, in which every caller waits for its answer. Then calls are sent at
fixed rates below and above the knee, whether or not earlier calls were answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.load.workload import MANY, UNARY, Workload
from bench.measure.contestants import OurServer
from bench.measure.measure import BUSY_SHARE_MIN, Measurement
from bench.measure.run import Run
from bench.report.results import Comparison, Plot, Row, Table, at_least, compare_values
from bench.rows.overload.offered import Offered, measure_offered

FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
FACTORS_QUICK = (0.5, 2.0)
"""Multiples of the knee."""
WINDOW_FACTOR = 2
"""Longer windows, so that what was sent before the backlog fills is the smaller part."""
BACKLOG_RESULTS_MAX = 10_000
"""The lowest setting; a slow machine would not fill the default of 100,000 in one window."""
GOODPUT_RATIO_MIN = 0.8
CLOSED_LOOP = "closed loop"
SENT_LATE_MS_MAX = 250
"""From this delay on, the load generator itself is behind and offers less than planned."""


@dataclass(frozen=True, slots=True)
class _Load:
    """A number of results per call, and the closed loop that finds its knee."""

    title: str
    name: str
    closed: Workload


LOADS = (
    _Load("500 results per call", "many", MANY),
    _Load("Unary", "unary", UNARY),
)


async def measure_row(run: Run) -> list[Row]:
    """Measure with many results per call, then with one."""
    async with run.ours(PROGRESS_BACKLOG_RESULTS_MAX=str(BACKLOG_RESULTS_MAX)) as ours:
        ours.checks_each_window = False
        rows = [await _measure(run, ours, load) for load in LOADS]
        await ours.check()
    return rows


async def _measure(run: Run, ours: OurServer, load: _Load) -> Row:
    """Find the knee, offer less and more, then repeat the knee and the highest rate in turns."""
    closed_load = load.closed.prepared_for(run.pace)
    closed = [await run.measure_once(ours, closed_load)]
    knee = closed[0].results_per_second
    factors = FACTORS if run.pace.is_full else FACTORS_QUICK
    seen = {factor: await _offer(run, ours, load, factor, knee) for factor in factors}
    most = [seen[max(factors)]]
    for _ in range(run.pace.rounds - 1):
        closed.append(await run.measure_once(ours, closed_load))
        most.append(await _offer(run, ours, load, max(factors), knee))
    return Row(
        f"{load.title}, one batch, offered at fixed rates; the knee is {knee:,.0f} results/s",
        {CLOSED_LOOP: closed},
        [_comparison(f"{max(factors):g} × the knee", closed, most)],
        [_table(seen)],
        [_plot(load, seen)],
    )


async def _offer(run: Run, ours: OurServer, load: _Load, factor: float, knee: float) -> Offered:
    pace = replace(run.pace, measure_seconds=run.pace.measure_seconds * WINDOW_FACTOR)
    offered = await measure_offered(ours, factor * knee, load.closed.results_per_call, pace)
    run.tell(f"{factor:4g} × the knee  {offered}")
    return offered


def _comparison(rate: str, closed: Sequence[Measurement], most: Sequence[Offered]) -> Comparison:
    late_ms = median(one.late_ms for one in most)
    share = median(one.generator_share for one in most)
    is_bound = late_ms > SENT_LATE_MS_MAX or share >= BUSY_SHARE_MIN
    note = f"the load generator is a bottleneck: up to {late_ms:,.0f} ms late, at {share:.0%} of a core"
    return compare_values(
        f"results/s recorded at {rate}",
        CLOSED_LOOP,
        [one.goodput for one in most],
        [one.results_per_second for one in closed],
        at_least(GOODPUT_RATIO_MIN),
        note if is_bound else "",
    )


def _table(seen: Mapping[float, Offered]) -> Table:
    header = (
        "× the knee",
        "offered/s",
        "recorded/s",
        "refused/s, with RetryInfo",
        "p50, ms",
        "p99, ms",
        "server µs",
    )
    lines = [
        (
            f"{factor:g}",
            f"{one.offered:,.0f}",
            f"{one.goodput:,.0f}",
            f"{one.refused:,.0f}",
            f"{one.p50_ms:,.0f}",
            f"{one.p99_ms:,.0f}",
            f"{one.server_us_per_result:.1f}",
            f"{one.late_ms:,.0f}",
            f"{one.generator_share:.0%}",
        )
        for factor, one in seen.items()
    ]
    return Table((*header, "sent late by, ms", "load"), lines)


def _plot(load: _Load, seen: Mapping[float, Offered]) -> Plot:
    return Plot(
        name=f"overload-{load.name}",
        title=f"Results recorded as more are offered: {load.title[0].lower()}{load.title[1:]}",
        x="offered, results/s",
        y="results/s",
        lines={
            "recorded": [(one.offered, one.goodput) for one in seen.values()],
            "refused": [(one.offered, one.refused) for one in seen.values()],
        },
    )
