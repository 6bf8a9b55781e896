"""python -m bench.history_cost: measure what the history of batches costs the recording of reports.

Starts MySQL, and records groups of reports in this process with the history, without it, and with a point for
each change, in turns. The CPU time is that of this process: what a server uses besides gRPC.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from statistics import median
from typing import Any
from unittest.mock import patch

import typer
from sqlalchemy import Dialect, null

from batches import history
from batches.new_batch import NewBatch
from batches.result import JobOutcome, JobResult, ResultSource
from batches.store import locking, rows
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from bench.measure.stores import mysql, with_tables

JOBS = 100_000_000
"""Jobs of every batch, so that none completes."""
WITHOUT, WITH, EVERY = "without", "with", "every"
KINDS = [WITHOUT, WITH, EVERY]
WORKLOADS = {
    "one report at a time": (1, 1),
    "200 reports of one batch": (200, 1),
    "200 reports of 200 batches": (200, 200),
}
"""The reports of a group, and the batches that they are of."""


async def _keeps_nothing(*_: object) -> dict[int, bytes]:
    return {}


@cache
def _reader_without_points(dialect: Dialect) -> object:
    """Return what locks batches without reading their points; made once, as the server makes its own."""
    without_points = rows.SELECT_BATCH.add_columns(null().label("recent_history"))
    with patch.object(locking, "SELECT_WITH_HISTORY", without_points):
        return locking._Reader(dialect)  # noqa: SLF001  # it is replaced here


@contextmanager
def recording_as(kind: str) -> Iterator[None]:
    """Record as this version does, as one without histories would, or with a point for each change."""
    with ExitStack() as stack:
        if kind == WITHOUT:
            stack.enter_context(patch.object(locking, "_reader", _reader_without_points))
            stack.enter_context(patch.object(rows, "keep_points", _keeps_nothing))
        if kind == EVERY:
            stack.enter_context(patch.object(history, "interval_seconds", lambda *_: 0.0))
        yield


def main(groups: int = 200) -> None:
    """Print the CPU time of a report, and what the history adds: medians of so many groups of each kind."""
    asyncio.run(_measure(groups))


async def _measure(groups: int) -> None:
    async with mysql() as server, server.database("history") as url, with_tables(url):
        database = Database(url, connections_max=1)
        store = BatchStore(database)
        for name, (reports, batches) in WORKLOADS.items():
            windows = {
                kind: await _window(store, f"{name} {kind}".replace(" ", "-"), reports, batches)
                for kind in KINDS
            }
            costs: dict[str, list[float]] = {kind: [] for kind in KINDS}
            for _ in range(groups):
                for kind, record in windows.items():
                    with recording_as(kind):
                        costs[kind].append(await _cpu_us(record) / reports)
            print(_line(name, costs), flush=True)  # noqa: T201  # the command's output
        await database.close()


async def _window(
    store: BatchStore, name: str, reports: int, batches: int
) -> Callable[[], Coroutine[Any, Any, object]]:
    """Create the batches of a window; return what records its next group."""
    ids = [f"{name}-{number}" for number in range(batches)]
    for batch_id in ids:
        await store.create_batch(NewBatch(batch_id, JOBS))
    jobs = count()

    def record() -> Coroutine[Any, Any, object]:
        group = [
            JobResult(ids[number % batches], f"job-{next(jobs):09}", JobOutcome.SUCCEEDED)
            for number in range(reports)
        ]
        return store.record_results(group, ResultSource.WORKER)

    return record


async def _cpu_us(record: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """Return the CPU time of a group, in µs."""
    before = time.process_time()
    await record()
    return (time.process_time() - before) * 1e6


def _line(name: str, costs: dict[str, list[float]]) -> str:
    without, with_history, every = (median(costs[kind]) for kind in KINDS)
    return (
        f"{name}: {without:,.1f} µs per report without a history,"
        f" {with_history / without - 1:+.1%} with it,"
        f" {every / without - 1:+.1%} with a point for every change"
    )


if __name__ == "__main__":
    typer.run(main)
