"""Compares a pass over stuck batches with a process that only lists the same pages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from sqlalchemy import func, select

from batches.batch import BatchState
from batches.store import schema
from batches.store.database import Database
from bench.load.filled_tables import fill
from bench.load.operating_system import cpu_seconds
from bench.load.processes import peer_process
from bench.measure.contestants import check, equal
from bench.measure.run import OURS, Run
from bench.measure.run_and_measure import ProcessRun, run_and_measure
from bench.report.results import (
    Comparison,
    Plot,
    Row,
    Table,
    Target,
    at_most,
    compare_values,
    compare_with_limit,
)

PEAK_MIB_MAX = 200
"""Its pod has 256 MiB (k8s/base/reconciler.yaml), however many jobs a batch has."""
GROWTH_RATIO_MAX = 1.3
"""Each further job should cost the same at any size; the rest allows for cold caches and different rounds."""
PEER = "listing alone"


@dataclass(frozen=True, slots=True)
class _Size:
    """The number of stuck batches and their jobs in one measurement."""

    batches: int
    jobs: int
    unreported_every: int

    @property
    def all_jobs(self) -> int:
        """The number of jobs in all batches."""
        return self.batches * self.jobs

    @property
    def unreported(self) -> int:
        """The number of unreported jobs in all batches; the first job of each is one."""
        return self.batches * -(-self.jobs // self.unreported_every)


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass, and the process that lists the same pages."""

    ours: ProcessRun
    theirs: ProcessRun
    store_seconds: float
    """The CPU time of MySQL during the pass."""

    @property
    def all_cpu_seconds(self) -> float:
        """The CPU time of the pass and of MySQL."""
        return self.ours.cpu_seconds + self.store_seconds


@dataclass(frozen=True, slots=True)
class _Shape:
    """Stuck batches in growing sizes."""

    title: str
    name: str
    sizes: tuple[_Size, ...]
    sizes_quick: tuple[_Size, ...]
    seconds_target: Target
    cpu_target: Target | None = None


SHAPES = (
    _Shape(
        "1,000 stuck batches of 1,000 jobs, 1 % unreported",
        "many-batches",
        tuple(_Size(batches, 1_000, 100) for batches in (10, 100, 1_000)),
        tuple(_Size(batches, 1_000, 100) for batches in (10, 30)),
        at_most(1.6),
        at_most(1.6),
    ),
    _Shape(
        "One stuck batch of 1,000,000 jobs, 1,000 unreported",
        "one-batch",
        tuple(_Size(1, jobs, 1_000) for jobs in (10_000, 100_000, 1_000_000)),
        tuple(_Size(1, jobs, 1_000) for jobs in (10_000, 30_000)),
        at_most(1.4),
    ),
)


async def measure_row(run: Run) -> list[Row]:
    """Measure three sizes of each shape."""
    return [await _measure_shape(run, shape) for shape in SHAPES]


async def _measure_shape(run: Run, shape: _Shape) -> Row:
    sizes = shape.sizes if run.pace.is_full else shape.sizes_quick
    seen: dict[_Size, list[_Pass]] = {}
    for size in sizes:
        seen[size] = [await _measure(run, size) for _ in range(run.pace.rounds)]
    return Row(
        shape.title, comparisons=_comparisons(shape, seen), tables=[_table(seen)], plots=[_plot(shape, seen)]
    )


async def _measure(run: Run, size: _Size) -> _Pass:
    """Run both on a new database.

    Raises:
        Inexact: a batch was not repaired as it should be.

    """
    async with run.tables() as (url, database), peer_process("job_status", str(size.jobs)) as queue:
        await fill(database, batches=size.batches, jobs=size.jobs, unreported_every=size.unreported_every)
        theirs = await run_and_measure("bench.peers.list_only", queue.target, str(size.batches))
        equal(PEER, "jobs listed", int(theirs.output), size.all_jobs)
        store_before = cpu_seconds(run.mysql_pids)
        ours = await run_and_measure(
            "reconciler", "--all", BATCHES_DATABASE_URL=url, RECONCILER_JOB_STATUS_TARGET=queue.target
        )
        store_seconds = cpu_seconds(run.mysql_pids) - store_before
        await _verify(ours, size, database)
    run.tell(
        f"{size.batches:5,} × {size.jobs:9,} jobs  reconciler {ours.seconds:6.2f} s"
        f" (CPU {ours.cpu_seconds:6.2f} s, of MySQL {store_seconds:6.2f} s, peak {ours.peak_mib:4.0f} MiB)"
        f"  {PEER} {theirs.seconds:6.2f} s (CPU {theirs.cpu_seconds:6.2f} s)"
    )
    return _Pass(ours, theirs, store_seconds)


async def _verify(one: ProcessRun, size: _Size, database: Database) -> None:
    """Compare the report of the pass and the database with what was missing."""
    equal("reconciler", "exit code", one.code, 0)
    said = json.loads(one.output.splitlines()[-1])
    equal("reconciler", "batches completed", said["completed"], size.batches)
    equal("reconciler", "results recorded", said["results_recorded"], size.unreported)
    table = schema.batches.c
    query = select(table.state, func.count(), func.sum(table.succeeded_jobs)).group_by(table.state)
    async with database.engine.connect() as connection:
        states = [(state, count, int(jobs)) for state, count, jobs in await connection.execute(query)]
    equal("reconciler", "batches by state", states, [(BatchState.COMPLETED, size.batches, size.all_jobs)])
    await check("reconciler", database)


def _comparisons(shape: _Shape, seen: dict[_Size, list[_Pass]]) -> list[Comparison]:
    *_, largest = seen.values()
    return [
        compare_values(
            "seconds of a pass, largest size",
            PEER,
            [one.ours.seconds for one in largest],
            [one.theirs.seconds for one in largest],
            shape.seconds_target,
        ),
        compare_values(
            "CPU seconds of a pass and of MySQL, largest size",
            PEER,
            [one.all_cpu_seconds for one in largest],
            [one.theirs.cpu_seconds for one in largest],
            shape.cpu_target,
        ),
        compare_with_limit(
            "peak memory at any size, MiB",
            [max(one.ours.peak_mib for rounds in seen.values() for one in rounds)],
            PEAK_MIB_MAX,
        ),
        *_growth(seen),
    ]


def _growth(seen: dict[_Size, list[_Pass]]) -> list[Comparison]:
    """Compare the cost of each further job between the larger sizes and between the smaller ones."""
    points = [(size.all_jobs, _median_seconds(rounds)) for size, rounds in seen.items()]
    slopes_us = [[_slope_us(less, more)] for less, more in pairwise(points)]
    if len(slopes_us) == 1:  # a quick run
        return []
    smaller, larger = slopes_us
    what, target = "µs per further job, the two largest sizes", at_most(GROWTH_RATIO_MAX)
    return [compare_values(what, "the two smallest", larger, smaller, target)]


def _median_seconds(rounds: Sequence[_Pass]) -> float:
    return median(one.ours.seconds for one in rounds)


def _slope_us(less: tuple[int, float], more: tuple[int, float]) -> float:
    return (more[1] - less[1]) / (more[0] - less[0]) * 1e6


def _table(seen: dict[_Size, list[_Pass]]) -> Table:
    header = (
        "batches",
        "jobs of each",
        "unreported",
        "reconciler, s",
        "its CPU, s",
        "CPU of MySQL, s",
        "its peak, MiB",
    )
    lines = [
        (
            f"{size.batches:,}",
            f"{size.jobs:,}",
            f"{size.unreported:,}",
            f"{_median_seconds(rounds):.2f}",
            f"{median(one.ours.cpu_seconds for one in rounds):.2f}",
            f"{median(one.store_seconds for one in rounds):.2f}",
            f"{max(one.ours.peak_mib for one in rounds):.0f}",
            f"{median(one.theirs.seconds for one in rounds):.2f}",
            f"{median(one.theirs.cpu_seconds for one in rounds):.2f}",
        )
        for size, rounds in seen.items()
    ]
    return Table((*header, f"{PEER}, s", "its CPU, s"), lines)


def _plot(shape: _Shape, seen: dict[_Size, list[_Pass]]) -> Plot:
    return Plot(
        name=f"reconciler-{shape.name}",
        title=f"A pass of the reconciler, up to {shape.title[0].lower()}{shape.title[1:]}",
        x="jobs in all batches",
        y="seconds",
        lines={
            OURS: [(size.all_jobs, _median_seconds(rounds)) for size, rounds in seen.items()],
            PEER: [
                (size.all_jobs, median(one.theirs.seconds for one in rounds)) for size, rounds in seen.items()
            ],
        },
        y_is_logarithmic=True,
    )
