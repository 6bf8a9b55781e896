"""Compares the CPU time of a unary report with that of an empty handler, the cost of gRPC itself."""

from bench.load.workload import UNARY
from bench.measure.run import OURS, Run
from bench.report.results import Row, at_most, compare, results_per_second, server_us

CPU_RATIO_MAX = 1.25


async def measure_row(run: Run) -> list[Row]:
    """Measure CPU time; rates depend on the load generator as much as on the servers."""
    async with run.ours() as ours, run.empty_handler() as peer:
        seen = await run.take_turns(dict.fromkeys([ours, peer], UNARY))
        theirs = seen[peer.name]
    comparisons = [
        compare("server CPU per result, µs", server_us, seen[OURS], theirs, at_most(CPU_RATIO_MAX)),
        compare("results/s", results_per_second, seen[OURS], theirs),
    ]
    return [Row("Unary, 1,037 workers, one batch", seen, comparisons)]
