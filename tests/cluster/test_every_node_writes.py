"""A server on each node: exact, with many workers, uneven ones, and large calls beside small ones."""

import asyncio

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.cluster.bars import Bar, none_unavailable, undisturbed
from tests.cluster.conftest import Judge, every_node_writes
from tests.cluster.load import HOT, Load
from tests.faults.conftest import FULL

pytestmark = every_node_writes
WORKERS = 1_037 if FULL else 120
JOBS_OF_A_WORKER = 3
FEW_WORKERS = 8
"""Workers at each of the other nodes; a large group loses against theirs."""
MEASURE_SECONDS = 20.0 if FULL else 2.0
SHARE_MIN = 1 / 3 if FULL else 0.05
"""The promise: the acknowledgements of all, compared with those of one node that alone takes writes. With few
workers a group is small, and a conflict costs more of it: 18 % were measured."""
LARGE_CALL = 10_000 if FULL else 1_000
"""10,000 are the most results of a call."""
LARGE_CALL_SECONDS_MAX = 120.0
"""A call that loses for ever is recognised after this time."""


async def test_every_job_is_counted_once_on_every_node(load: Load, judge: Judge) -> None:
    """Each job is reported through two servers at the same time, and none is refused."""

    async def work(worker: int) -> None:
        for _ in range(JOBS_OF_A_WORKER):
            job, outcome = load.draw()
            await asyncio.gather(*(load.send((worker + copy) % 3, job, outcome) for copy in range(2)))

    async def report_all() -> None:
        await asyncio.gather(*map(work, range(WORKERS)))

    await load.run((0, 0, 0), report_all())
    await judge(
        f"{WORKERS:,} workers report each job through two servers",
        load,
        none_unavailable(load),
    )


async def test_uneven_writers_starve_nobody(load: Load, judge: Judge) -> None:
    """Many workers at one node and few at the others: enough is acknowledged, by every server."""
    counts = []

    async def measure() -> None:
        for few in (0, FEW_WORKERS):
            before = load.ledger.answers
            load.begin()
            await load.work((WORKERS, few, few), asyncio.ensure_future(asyncio.sleep(MEASURE_SECONDS)))
            counts.append(load.ledger.answers - before)

    await load.run((0, 0, 0), measure())
    alone, uneven = counts
    await judge(
        f"{WORKERS:,} workers at one node, {FEW_WORKERS} at each other: {uneven / alone:.0%} of one alone",
        load,
        Bar("share of one node alone", uneven / alone, SHARE_MIN, is_minimum=True),
        *undisturbed(load),
    )


async def test_a_large_call_passes_beside_small_ones_elsewhere(load: Load, judge: Judge) -> None:
    """They write the same batch, so a large group loses certification against theirs."""
    results = [
        pb.ReportJobResultRequest(batch_id=HOT, job_id=f"large-{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
        for number in range(LARGE_CALL)
    ]

    async def call() -> None:
        await load.ledger.more_answers(FEW_WORKERS)
        for one in results:
            load.ledger.attempt((HOT, one.job_id), JobOutcome.SUCCEEDED)
        request = pb.ReportJobResultsRequest(results=results)
        answer = await load.servers[0].stub.ReportJobResults(request, timeout=LARGE_CALL_SECONDS_MAX)
        for one, result in zip(results, answer.results, strict=True):
            first = result.disposition == pb.DISPOSITION_RECORDED
            load.ledger.acknowledge((HOT, one.job_id), first=first)

    await load.run((0, FEW_WORKERS // 2, FEW_WORKERS // 2), call())
    await judge(
        f"a call of {LARGE_CALL:,} results beside {FEW_WORKERS} workers at other nodes",
        load,
        none_unavailable(load),
    )
