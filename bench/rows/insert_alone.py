"""Compares 500 results per call, exact and durable, with bare INSERTs of the same rows."""

from bench.load.workload import MANY
from bench.measure.run import OURS, Run
from bench.report.results import Row, at_least, compare, results_per_second, server_and_store_us, server_us

RATE_RATIO_MIN = 0.8


async def measure_row(run: Run) -> list[Row]:
    """Measure rows per second."""
    async with run.ours() as ours, run.insert_only() as peer:
        seen = await run.take_turns(dict.fromkeys([ours, peer], MANY))
        theirs = seen[peer.name]
    comparisons = [
        compare("rows/s", results_per_second, seen[OURS], theirs, at_least(RATE_RATIO_MIN)),
        compare("server CPU per row, µs", server_us, seen[OURS], theirs),
        compare("server + store CPU per row, µs", server_and_store_us, seen[OURS], theirs),
    ]
    return [Row("500 results per call, 16 callers, one batch", seen, comparisons)]
