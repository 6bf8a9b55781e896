"""Compares rate and latency with a row lock for each report, from one worker to 1,037."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

from bench.load.workload import UNARY
from bench.measure.measure import Measurement
from bench.measure.run import OURS, Run
from bench.report.results import Plot, Row, compare, p99_ms, results_per_second

WORKERS = (1, 10, 100, 1_037)
WORKERS_QUICK = (1, 100)
PEER = "row lock per report"
WARM_UP_FACTOR = 3
"""Calls take seconds with the row lock, and the warm-up must be longer."""

Seen = dict[str, list[Measurement]]


async def measure_row(run: Run) -> list[Row]:
    """Measure each number of workers; there is no target."""
    async with run.ours() as ours, run.mysql_peer(PEER, "row_lock") as peer:
        seen = {
            workers: await run.take_turns(
                dict.fromkeys([ours, peer], replace(UNARY, workers=workers)),
                warm_up_factor=WARM_UP_FACTOR,
                rounds=1,
            )
            for workers in (WORKERS if run.pace.is_full else WORKERS_QUICK)
        }
    row = Row("Unary, one batch, from one worker on, one round")
    for workers, one in seen.items():
        row.measurements |= {f"{name}, {workers:,} workers": rounds for name, rounds in one.items()}
        row.comparisons += [
            compare(f"results/s, {workers:,} workers", results_per_second, one[OURS], one[PEER]),
            compare(f"p99, ms, {workers:,} workers", p99_ms, one[OURS], one[PEER]),
        ]
    row.plots += [
        _plot("rate-by-workers", "Results recorded per second", "results/s", results_per_second, seen),
        _plot("latency-by-workers", "How long a report waits for its commit", "p99, ms", p99_ms, seen),
    ]
    return [row]


def _plot(
    name: str, title: str, y: str, figure: Callable[[Measurement], float], seen: dict[int, Seen]
) -> Plot:
    return Plot(
        name=name,
        title=title,
        x="workers, one report each at a time",
        y=y,
        lines={
            one: [(workers, median(map(figure, rounds[one]))) for workers, rounds in seen.items()]
            for one in (OURS, PEER)
        },
        y_is_logarithmic=True,
    )
