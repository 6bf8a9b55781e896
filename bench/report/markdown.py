"""The report in Markdown: first the ratios, then absolute numbers for information."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from bench.load.workload import Pace
from bench.measure.measure import Measurement
from bench.report.history import PastRun, history
from bench.report.results import Comparison, Row

PLOTS = "plots"
"""The folder of the plots, next to the report."""
COMPARED = ("measured", "compared with", "ours", "theirs", "ratio", "rounds", "target", "reached")
MEASURED = ("median of", "results/s", "p50, ms", "p99, ms", "server µs", "store µs", "load", "machine")
INTRODUCTION = """\
Our server compared with alternatives and with limits, on one machine in one run. A ratio is our number
divided by the other one, the median of rounds measured in turns; absolute numbers are for information. CPU
is user plus system time per result, as the operating system counts it. After every window, the counts of
each contestant were compared with what was sent, and those of our server also with its rows (as `python -m
batches check` does). A difference ends the run without a report.
"""


def markdown(
    rows: Sequence[Row], machine: Mapping[str, str], pace: Pace, runs: Sequence[PastRun] = ()
) -> str:
    """Return the whole report, at its end the ratios of the newest runs."""
    return "\n".join(
        [
            "# What `make bench` measured",
            "",
            INTRODUCTION,
            *_table(("", ""), machine.items()),
            "",
            f"{pace.rounds} rounds of {pace.measure_seconds:g} s, after {pace.warm_up_seconds:g} s or more.",
            *(line for row in rows for line in _row_lines(row)),
            "",
            *([*history(runs), ""] if runs else []),
        ]
    )


def _row_lines(row: Row) -> Iterator[str]:
    yield from ("", f"## {row.title}", "")
    if row.comparisons:
        yield from _table(COMPARED, map(_comparison_cells, row.comparisons))
    notes = dict.fromkeys(f"{one.peer}: {one.note}." for one in row.comparisons if one.note)
    yield from (line for note in notes for line in ("", note))
    if row.measurements:
        yield ""
        yield from _table(MEASURED, (_measurement_cells(*one) for one in row.measurements.items()))
    for table in row.tables:
        yield ""
        yield from _table(table.header, table.lines)
    for plot in row.plots:
        yield ""
        yield f"![{plot.title}]({PLOTS}/{plot.name}.svg)"


def _comparison_cells(one: Comparison) -> tuple[str, ...]:
    return (
        one.what,
        one.peer,
        f"{one.ours:,.4g}" if one.ours < 1_000 else f"{one.ours:,.0f}",  # noqa: PLR2004  # no e+03
        f"{one.theirs:,.4g}" if one.theirs < 1_000 else f"{one.theirs:,.0f}",  # noqa: PLR2004
        f"**{one.ratio:.2f}**",
        f"{min(one.ratios):.2f} to {max(one.ratios):.2f}",
        str(one.target or ""),
        one.reached,
    )


def _measurement_cells(name: str, rounds: Sequence[Measurement]) -> tuple[str, ...]:
    return (
        name,
        f"{median(one.results_per_second for one in rounds):,.0f}",
        f"{median(one.p50_ms for one in rounds):,.1f}",
        f"{median(one.p99_ms for one in rounds):,.1f}",
        f"{median(one.server_us_per_result for one in rounds):.1f}",
        f"{median(one.store_us_per_result for one in rounds):.1f}",
        f"{median(one.generator_share for one in rounds):.0%}",
        f"{median(one.machine_share for one in rounds):.0%}",
    )


def _table(header: Sequence[str], cells: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in cells)
