"""Compares unary reports of 1,037 workers to one batch with a row lock for each report."""

from bench.load.workload import UNARY
from bench.measure.run import OURS, Run
from bench.report.results import Row, at_least, at_most, compare, p99_ms, results_per_second, server_us

RATE_RATIO_MIN = 8
P99_RATIO_MAX = 1 / 5
WARM_UP_FACTOR = 3
"""Calls take seconds with the row lock, and the warm-up must be longer."""


async def measure_row(run: Run) -> list[Row]:
    """Measure rate, latency and CPU time."""
    name = "row lock per report"
    async with run.ours() as ours, run.mysql_peer(name, "row_lock") as peer:
        seen = await run.take_turns(dict.fromkeys([ours, peer], UNARY), warm_up_factor=WARM_UP_FACTOR)
    comparisons = [
        compare("results/s", results_per_second, seen[OURS], seen[name], at_least(RATE_RATIO_MIN)),
        compare("p99, ms", p99_ms, seen[OURS], seen[name], at_most(P99_RATIO_MAX)),
        compare("server CPU per result, µs", server_us, seen[OURS], seen[name]),
    ]
    return [Row("Unary, 1,037 workers, one batch", seen, comparisons)]
