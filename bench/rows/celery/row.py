"""Compares a Celery group that reports and is watched with one whose completed_count() is polled."""

from statistics import median

from bench.measure.run import OURS, Run
from bench.report.results import Comparison, Row, Table, compare_values, compare_with_limit
from bench.rows.celery.group import ASK_SECONDS, GroupRun, run_alone, run_reporting

TASKS = 5_000
TASKS_QUICK = 300
LAG_MS_MAX = 500
PEER = "completed_count() polled"


async def measure_row(run: Run) -> list[Row]:
    """Measure both in turns, each with its own Celery worker."""
    tasks = TASKS if run.pace.is_full else TASKS_QUICK
    seen: dict[str, list[GroupRun]] = {OURS: [], PEER: []}
    async with run.ours() as ours:
        for _ in range(run.pace.rounds):
            seen[PEER].append(await run_alone(run.redis_url, tasks))
            seen[OURS].append(await run_reporting(run.redis_url, tasks, ours))
            for name, rounds in seen.items():
                run.tell(f"{name:28} {rounds[-1]}")
        await ours.check()
    title = f"A group of {tasks:,} tasks that do nothing, two pool processes, broker and results in Redis"
    return [Row(title, comparisons=_comparisons(seen), tables=[_table(seen)])]


def _comparisons(seen: dict[str, list[GroupRun]]) -> list[Comparison]:
    ours, theirs = seen[OURS], seen[PEER]
    return [
        compare_with_limit("progress is seen after, p99, ms", [one.lag_p99_ms for one in ours], LAG_MS_MAX),
        compare_values(
            "progress is seen after, p99, ms",
            f"{PEER} every {ASK_SECONDS:g} s",
            [one.lag_p99_ms for one in ours],
            [one.lag_p99_ms for one in theirs],
        ),
        compare_values(
            "worker CPU a task, µs",
            PEER,
            [one.worker_us_per_task for one in ours],
            [one.worker_us_per_task for one in theirs],
        ),
        compare_values(
            "seconds from the first task to the last",
            PEER,
            [one.seconds for one in ours],
            [one.seconds for one in theirs],
        ),
    ]


def _table(seen: dict[str, list[GroupRun]]) -> Table:
    header = ("", "published in, s", "run in, s", "worker µs a task", "seen p50, ms", "seen p99, ms", "looks")
    lines = [
        (
            name,
            f"{median(one.publish_seconds for one in rounds):.2f}",
            f"{median(one.seconds for one in rounds):.2f}",
            f"{median(one.worker_us_per_task for one in rounds):.0f}",
            f"{median(one.lag_p50_ms for one in rounds):,.0f}",
            f"{median(one.lag_p99_ms for one in rounds):,.0f}",
            f"{median(one.looks for one in rounds):,.0f}",
        )
        for name, rounds in seen.items()
    ]
    return Table(header, lines)
