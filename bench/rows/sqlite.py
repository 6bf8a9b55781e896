"""Compares our server on SQLite with bare INSERTs into the same table, committed as durably."""

from bench.load.workload import MANY, UNARY, Workload
from bench.measure.run import OURS, Run
from bench.peers.insert_only import ROWS_PER_STATEMENT
from bench.report.results import Row, at_least, compare, results_per_second, server_us

UNARY_RATE_RATIO_MIN = 0.5
BULK_RATE_RATIO_MIN = 0.6


async def measure_row(run: Run) -> list[Row]:
    """Measure one result per call beside a row per commit, and 500 per call beside 2,000 rows per commit."""
    return [
        await _compare(
            run, "Unary, 1,037 workers, one batch", UNARY, "INSERT alone", 1, UNARY_RATE_RATIO_MIN
        ),
        await _compare(
            run,
            "500 results per call, 16 callers, one batch",
            MANY,
            "multi-row INSERT alone",
            ROWS_PER_STATEMENT,
            BULK_RATE_RATIO_MIN,
        ),
    ]


async def _compare(  # noqa: PLR0913, PLR0917  # one row of the report
    run: Run, title: str, workload: Workload, name: str, rows_per_commit: int, rate_ratio_min: float
) -> Row:
    async with (
        run.ours(on_sqlite=True) as ours,
        run.insert_only_on_sqlite(name, rows_per_commit) as peer,
    ):
        seen = await run.take_turns(dict.fromkeys([ours, peer], workload))
    comparisons = [
        compare("rows/s", results_per_second, seen[OURS], seen[name], at_least(rate_ratio_min)),
        compare("server CPU per row, µs", server_us, seen[OURS], seen[name]),
    ]
    return Row(f"{title}, SQLite with synchronous=FULL", seen, comparisons)
