"""What several nodes are asked at the same time: upgrades, passes of the reconciler, and young batches."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.cluster.conftest import Judge, every_node_writes
from tests.cluster.database_cluster import DatabaseCluster, upgrade
from tests.cluster.load import Load
from tests.faults.conftest import FULL
from tests.faults.passes import Passes
from tests.support.queue_fake import FakeBatch, FakeJob, QueueFake
from tests.support.queue_fake import served as queue_served

pytestmark = every_node_writes
UPGRADE_ROUNDS = 15 if FULL else 1
"""With GET_LOCK in place of the lease, a group was broken by the fifth round at the latest."""
WORKERS = (10, 10, 10)
BATCHES = 400 if FULL else 40
HELD_SECONDS = 0.35
"""How long a node applies nothing of what others commit, again and again."""
STUCK_BATCHES = 300 if FULL else 30
STUCK_AFTER_SECONDS = 1


async def test_upgrades_at_once_leave_the_cluster_whole(
    database_cluster: DatabaseCluster, load: Load, judge: Judge
) -> None:
    """DDL is not certified: two upgrades at once would end the cluster. Reports go on beside them."""

    async def upgrade_on_each_node() -> None:
        for _ in range(UPGRADE_ROUNDS):
            await asyncio.gather(*map(upgrade, await database_cluster.new_database()))
            assert await database_cluster.is_whole()

    await load.run(WORKERS, upgrade_on_each_node())
    await judge(f"{UPGRADE_ROUNDS} rounds of three upgrades at once, of another database", load)


async def test_a_new_batch_is_found_through_a_node_that_lags(
    database_cluster: DatabaseCluster, load: Load, judge: Judge
) -> None:
    """Its first report would be NOT_FOUND, and dropped."""

    async def create_here_report_there(number: int) -> None:
        job = (f"young-{number}", "job")
        await load.servers[0].stub.CreateBatch(pb.CreateBatchRequest(batch_id=job[0], total_jobs=1))
        await load.send(1, job, JobOutcome.SUCCEEDED)

    async def hold() -> None:
        while True:
            await database_cluster.hold_applier(database_cluster.nodes[1], HELD_SECONDS)

    holding = asyncio.create_task(hold())
    try:
        for first in range(0, BATCHES, 20):
            await asyncio.gather(*map(create_here_report_there, range(first, first + 20)))
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
    await judge(f"created at one node, reported at another one that is {HELD_SECONDS:g} s behind", load)


async def test_one_of_three_passes_at_once_works(
    urls: list[str], load: Load, judge: Judge, tmp_path: Path
) -> None:
    """Each has another node, and one has the lease."""
    queue = QueueFake()
    await load.create()
    for number in range(STUCK_BATCHES):
        job, outcome = (f"stuck-{number}", "reported"), JobOutcome.SUCCEEDED
        await load.servers[number % 3].stub.CreateBatch(pb.CreateBatchRequest(batch_id=job[0], total_jobs=2))
        await load.send(number % 3, job, outcome)
        queue.batches[job[0]] = FakeBatch([FakeJob("reported", outcome), FakeJob("lost", outcome)])
        load.ledger.attempted[job[0], "lost"] = outcome
    await asyncio.sleep(STUCK_AFTER_SECONDS)
    async with queue_served(queue) as target, AsyncExitStack() as stack:
        passes = Passes(
            {
                "RECONCILER_JOB_STATUS_TARGET": target,
                "RECONCILER_STUCK_AFTER": str(STUCK_AFTER_SECONDS),
            },
            tmp_path,
        )
        running = [await stack.enter_async_context(passes.run(0, BATCHES_DATABASE_URL=url)) for url in urls]
        finished = await asyncio.gather(*(one.end() for one in running))
    load.ledger.acknowledged.update(load.ledger.attempted)
    assert sorted(one.summary["lease_held_elsewhere"] for one in finished) == [False, True, True]
    await judge("three passes of the reconciler at once", load)
