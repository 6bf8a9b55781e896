"""Measures whether the memory of a server grows over many windows: the reports of an hour in a minute."""

from itertools import cycle, islice

from bench.load.operating_system import resident_mib
from bench.load.workload import MANY, UNARY
from bench.measure.contestants import OurServer
from bench.measure.measure import Measurement
from bench.measure.run import OURS, Run
from bench.report.results import Comparison, Row, Table, at_most, compare_values

WINDOWS = 12
WINDOWS_QUICK = 4
WARM_UP_SHARE = 1 / 3
"""Share of the windows in which pools fill and the allocator reaches the size of the largest groups."""
WARM_UP_WINDOWS_MIN = 2
"""One window of each load."""
GROWTH_RATIO_MAX = 1.05


async def measure_row(run: Run) -> list[Row]:
    """Measure windows with 500 results per call and with one, in turns, on one server."""
    windows = WINDOWS if run.pace.is_full else WINDOWS_QUICK
    loads = islice(cycle((MANY.prepared_for(run.pace), UNARY)), windows)
    seen: list[tuple[Measurement, float]] = []
    async with run.ours() as ours:
        ours.checks_each_window = False
        for load in loads:
            measurement = await run.measure_once(ours, load)
            seen.append((measurement, resident_mib(_pid_of(ours))))
        await ours.check()
    row = Row(f"{windows} windows, 500 results per call and unary in turns, one server")
    row.measurements = {
        f"{OURS}, 500 per call": [one for one, _ in seen[::2]],
        f"{OURS}, unary": [one for one, _ in seen[1::2]],
    }
    row.comparisons.append(_growth([mib for _, mib in seen]))
    row.tables.append(_table(seen))
    return [row]


def _growth(sizes: list[float]) -> Comparison:
    warm = max(WARM_UP_WINDOWS_MIN, round(len(sizes) * WARM_UP_SHARE))
    return compare_values(
        "most resident after a window, MiB",
        f"the first {warm} windows",
        [max(sizes[warm:])],
        [max(sizes[:warm])],
        at_most(GROWTH_RATIO_MAX),
    )


def _pid_of(server: OurServer) -> int:
    (pid,) = server.server_pids
    return pid


def _table(seen: list[tuple[Measurement, float]]) -> Table:
    lines = [
        (str(number), f"{one.results_per_second:,.0f}", f"{mib:.1f}")
        for number, (one, mib) in enumerate(seen, start=1)
    ]
    return Table(("window", "results/s", "resident after it, MiB"), lines)
