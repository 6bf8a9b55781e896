"""Compares thousands of watchers of one batch with a bare stream of the same bytes."""

from dataclasses import replace
from statistics import median

from bench.load.workload import Pace
from bench.measure.measure import BUSY_SHARE_MIN
from bench.measure.run import OURS, Run
from bench.report.results import (
    Comparison,
    Plot,
    Row,
    Table,
    at_least,
    at_most,
    compare_values,
    compare_with_limit,
)
from bench.rows.watch.watching import RESULTS_PER_CALL, RESULTS_PER_SECOND, Watched, calls_of, measure_watches

WATCHERS = (100, 1_000, 5_000, 10_000)
WATCHERS_QUICK = (50, 200)
RATE_RATIO_MIN = 0.8
CPU_RATIO_MAX = 1 / RATE_RATIO_MIN
"""The same bound for the cost, which counts where the watchers and not the server are the limit."""
LAG_MS_MAX = 1_000
MEMORY_RATIO_MAX = 1.3
PEER = "bare stream"
WINDOW_FACTOR = 2
"""Longer windows, since thousands of watchers on a few cores get only a message or two per second."""

Seen = dict[str, list[Watched]]
"""The rounds of each contestant."""


async def measure_row(run: Run) -> list[Row]:
    """Measure the largest number of watchers in all rounds, smaller numbers once for the plot."""
    *fewer, most = WATCHERS if run.pace.is_full else WATCHERS_QUICK
    pace = replace(run.pace, measure_seconds=run.pace.measure_seconds * WINDOW_FACTOR)
    by_watchers = {watchers: await _measure(run, watchers, replace(pace, rounds=1)) for watchers in fewer}
    seen = by_watchers[most] = await _measure(run, most, pace)
    title = (
        f"{most:,} watchers of one batch, {RESULTS_PER_SECOND:,} results/s ({RESULTS_PER_CALL} a call);"
        f" messages of {seen[OURS][0].message_bytes} bytes"
    )
    return [
        Row(title, comparisons=_comparisons(seen), tables=[_table(by_watchers)], plots=[_plot(by_watchers)])
    ]


async def _measure(run: Run, watchers: int, pace: Pace) -> Seen:
    seen: Seen = {OURS: [], PEER: []}
    for _ in range(pace.rounds):
        # A new server for each window, since memory that earlier watches left would hide what these need.
        async with run.ours() as ours:
            seen[OURS].append(await measure_watches(ours, watchers, pace))
        async with run.bare_stream(PEER, calls_of(pace) * RESULTS_PER_CALL) as peer:
            seen[PEER].append(await measure_watches(peer, watchers, pace))
        for rows in seen.values():
            run.tell(f"{watchers:5,} {rows[-1]}")
    return seen


def _comparisons(seen: Seen) -> list[Comparison]:
    ours, theirs = seen[OURS], seen[PEER]
    is_bound = any(median(one.watchers_share for one in side) >= BUSY_SHARE_MIN for side in (ours, theirs))
    note = "the watchers' process is the bottleneck, so server CPU decides" if is_bound else ""
    late = "the reports themselves were late on this machine" if any(one.is_behind for one in ours) else ""
    return [
        compare_values(
            "messages/s",
            PEER,
            [one.messages_per_second for one in ours],
            [one.messages_per_second for one in theirs],
            None if is_bound else at_least(RATE_RATIO_MIN),
            note,
        ),
        compare_values(
            "server CPU a message, µs",
            PEER,
            [one.server_us_per_message for one in ours],
            [one.server_us_per_message for one in theirs],
            at_most(CPU_RATIO_MAX),
        ),
        compare_values(
            "server memory a watcher, KiB",
            PEER,
            [one.kib_per_watcher for one in ours],
            [one.kib_per_watcher for one in theirs],
            at_most(MEMORY_RATIO_MAX),
        ),
        compare_with_limit(
            "lag of the final state p99, ms", [one.lag_p99_ms for one in ours], LAG_MS_MAX, late
        ),
    ]


def _table(by_watchers: dict[int, Seen]) -> Table:
    header = ("watchers", "", "messages/s", "server µs a message", "lag p50, ms", "lag p99, ms")
    lines = [
        (
            f"{watchers:,}",
            name,
            f"{median(one.messages_per_second for one in rounds):,.0f}",
            f"{median(one.server_us_per_message for one in rounds):.1f}",
            f"{median(one.lag_p50_ms for one in rounds):,.0f}",
            f"{median(one.lag_p99_ms for one in rounds):,.0f}",
            f"{median(one.kib_per_watcher for one in rounds):.1f}",
            f"{median(one.watchers_share for one in rounds):.0%}",
        )
        for watchers, seen in by_watchers.items()
        for name, rounds in seen.items()
    ]
    return Table((*header, "KiB a watcher", "watchers' process"), lines)


def _plot(by_watchers: dict[int, Seen]) -> Plot:
    return Plot(
        name="lag-by-watchers",
        title="From the last acknowledgement to a watcher's final state",
        x="watchers of one batch",
        y="p99, ms",
        lines={
            name: [
                (watchers, median(one.lag_p99_ms for one in seen[name]))
                for watchers, seen in by_watchers.items()
            ]
            for name in (OURS, PEER)
        },
    )
