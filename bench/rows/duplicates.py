"""Compares results that are all sent twice with results that are sent once."""

from dataclasses import replace

from bench.load.workload import UNARY
from bench.measure.run import Run
from bench.report.results import Row, at_least, calls_per_second, compare, server_us

RATE_RATIO_MIN = 0.8
TWICE = replace(UNARY, copies=2)


async def measure_row(run: Run) -> list[Row]:
    """Measure calls per second."""
    async with run.ours("ours, each once") as once, run.ours("ours, each twice") as twice:
        seen = await run.take_turns({twice: TWICE, once: UNARY})
        doubled, single = seen[twice.name], seen[once.name]
    comparisons = [
        compare("calls/s", calls_per_second, doubled, single, at_least(RATE_RATIO_MIN)),
        compare("server CPU per call, µs", server_us, doubled, single),
    ]
    return [Row("Unary, 1,037 workers, one batch, every result sent twice", seen, comparisons)]
