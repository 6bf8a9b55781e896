"""python -m bench.large_batch: measure a batch of ten million jobs: repair, deletion, groups of failures.

Starts MySQL with durable settings. The batch is made inside MySQL; one of a thousand jobs is unreported, and
a pass of the reconciler repairs it. Then it is deleted as by a pass, while a neighbour reports to another
batch. Last, the failures of a batch are reported, and their groups are asked for.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count

import grpc
import typer

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.filled_tables import fill
from bench.load.open_loop import OpenOutcome, OpenPlan
from bench.load.processes import peer_process, progress_process
from bench.load.timed import Window, timed_process
from bench.measure.measure import percentile
from bench.measure.run_and_measure import run_and_measure
from bench.measure.stores import mysql, with_tables
from reconciler.run.deadline import Deadline
from reconciler.run.purge import purge_ended

UNREPORTED_EVERY = 1_000
NEIGHBOUR_REPORTS_PER_SECOND = 100.0
"""A few percent of what a server takes: no report of the neighbour waits for another one of it."""
WINDOW_SECONDS = 30.0
"""Some 3,000 reports: 30 of them are above the p99."""
KINDS = 2_000
"""Twice as many as have a group of their own."""
CALL_RESULTS = 500
CALLERS = 8
ASKED = 100
"""How often the groups are asked for."""
DELETION_SECONDS_MAX = 3_600.0

_numbers = count(1)


def main(jobs: int = 10_000_000, failures: int = 1_000_000) -> None:
    """Print the figures of each part."""
    asyncio.run(_measure(jobs, failures))


async def _measure(jobs: int, failures: int) -> None:
    async with mysql() as server, server.database("large") as url, with_tables(url) as database:
        began = time.monotonic()
        await fill(database, batches=1, jobs=jobs, unreported_every=UNREPORTED_EVERY)
        _tell(f"{jobs:,} jobs made in {time.monotonic() - began:.0f} s")
        await _repair(url, jobs)
        async with progress_process(url) as process, grpc.aio.insecure_channel(process.target) as channel:
            stub: progress_pb2_grpc.ProgressServiceAsyncStub = progress_pb2_grpc.ProgressServiceStub(channel)
            await _delete(database, stub, process.target, jobs)
            await _ask_for_groups(stub, failures)


async def _repair(url: str, jobs: int) -> None:
    async with peer_process("job_status", str(jobs)) as queue:
        settings = {"BATCHES_DATABASE_URL": url, "RECONCILER_JOB_STATUS_TARGET": queue.target}
        ours = await run_and_measure("reconciler", "--all", **settings)
    recorded = json.loads(ours.output.splitlines()[-1])["results_recorded"]
    # The figures of a pass that did something else are worthless.
    assert recorded == -(-jobs // UNREPORTED_EVERY), ours.output
    _tell(
        f"a pass that repairs {recorded:,} of {jobs:,} jobs: {ours.seconds:.1f} s,"
        f" {ours.cpu_seconds:.1f} s of CPU, peak {ours.peak_mib:.0f} MiB"
    )


async def _delete(
    database: Database, stub: "progress_pb2_grpc.ProgressServiceAsyncStub", target: str, jobs: int
) -> None:
    """Compare the reports of a neighbour while the batch is deleted with those before and after."""
    before = await _neighbour(stub, target)
    async with _deleting(database):
        during = await _neighbour(stub, target)
    after = await _neighbour(stub, target)
    alone = (before + after) / 2
    _tell(
        f"a neighbour's p99 while {jobs:,} jobs are deleted: {during:.1f} ms,"
        f" {during / alone:.2f} × that alone (before {before:.1f}, after {after:.1f} ms)"
    )


@asynccontextmanager
async def _deleting(database: Database) -> AsyncIterator[None]:
    """Delete what has ended while the context is open; the large batch must not be gone before its end."""
    deadline = Deadline(DELETION_SECONDS_MAX)
    store = BatchStore(database)
    later = datetime.now(UTC) + timedelta(days=1)
    deletion = asyncio.create_task(purge_ended(store, deadline, later, seconds_max=math.inf))
    try:
        yield
        assert not deletion.done(), "the batch is too small: it was deleted before the neighbour was measured"
    finally:
        deadline.close()
        deletion.cancel()
        await asyncio.gather(deletion, return_exceptions=True)


async def _neighbour(stub: "progress_pb2_grpc.ProgressServiceAsyncStub", target: str) -> float:
    """Return the p99 of its reports in one window, in ms."""
    calls = round(NEIGHBOUR_REPORTS_PER_SECOND * (WINDOW_SECONDS + 1))
    batch_id = f"neighbour-{next(_numbers)}"
    await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=calls + 1))
    plan = OpenPlan(target, batch_id, calls, NEIGHBOUR_REPORTS_PER_SECOND, connections=4, results_per_call=1)
    async with timed_process("bench.load.open_loop") as process:
        await process.prepare(asdict(plan))
        process.let_go(Window(time.monotonic(), warm_up_seconds=1.0, measure_seconds=WINDOW_SECONDS))
        outcome = await process.outcome(OpenOutcome)
    assert not outcome.refused
    return percentile(sorted(outcome.latencies_ms), 99)


async def _ask_for_groups(stub: "progress_pb2_grpc.ProgressServiceAsyncStub", failures: int) -> None:
    await stub.CreateBatch(pb.CreateBatchRequest(batch_id="failing", total_jobs=failures))
    calls = iter(range(0, failures, CALL_RESULTS))
    await asyncio.gather(*(_report_failures(stub, calls, failures) for _ in range(CALLERS)))
    milliseconds = []
    for _ in range(ASKED):
        began = time.monotonic()
        answer = await stub.ListFailureGroups(pb.ListFailureGroupsRequest(batch_id="failing"))
        milliseconds.append(1_000 * (time.monotonic() - began))
    milliseconds.sort()
    _tell(
        f"groups of {failures:,} failures of {KINDS:,} kinds ({answer.total_size:,} groups):"
        f" p50 {percentile(milliseconds, 50):.1f} ms, p99 {percentile(milliseconds, 99):.1f} ms"
    )


async def _report_failures(
    stub: "progress_pb2_grpc.ProgressServiceAsyncStub", calls: Iterator[int], failures: int
) -> None:
    for first in calls:
        results = [
            pb.ReportJobResultRequest(
                batch_id="failing",
                job_id=f"job-{job:07}",
                outcome=pb.JOB_OUTCOME_FAILED,
                error_message=f"ValueError: no column c{_letters(job % KINDS)}",
            )
            for job in range(first, min(first + CALL_RESULTS, failures))
        ]
        await stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))


def _letters(number: int) -> str:
    """Return a word for a number: digits in an error make no other kind."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # the command's output


if __name__ == "__main__":
    typer.run(main)
