"""Old batches are purged beside reports: the chunks that other nodes apply do not hold them up."""

import asyncio
from pathlib import Path

from sqlalchemy import text

from batchprogress.v1 import progress_pb2 as pb
from database_servers import DatabaseServer
from tests.cluster.bars import undisturbed
from tests.cluster.conftest import Judge, every_node_writes, in_full_size
from tests.cluster.database_cluster import DatabaseCluster, administrator, run
from tests.cluster.load import Load
from tests.faults.calling import call_until_answered
from tests.faults.conftest import FULL
from tests.faults.passes import Passes
from tests.support.queue_fake import QueueFake
from tests.support.queue_fake import served as queue_served

pytestmark = [every_node_writes, in_full_size]
OLD_BATCHES, ROWS_OF_EACH = (40, 5_000) if FULL else (4, 500)
WORKERS = (100, 100, 100) if FULL else (10, 10, 10)
RETENTION_SECONDS = 86_400
PASS_SECONDS = 10
"""A pass ends by itself some seconds after this time, and the next one continues: a busy machine takes half a
minute to start one, and a minute is the most that a test waits for it."""
NEWEST = "SELECT MAX(batch_key) FROM {database}.batches"
ROWS = "SELECT COUNT(*) FROM {database}.job_results WHERE batch_key <= {newest}"
AGE = "UPDATE {table} SET complete_time = complete_time - INTERVAL 2 DAY WHERE complete_time IS NOT NULL"


async def test_a_purge_holds_up_no_report(
    database_cluster: DatabaseCluster, urls: list[str], load: Load, judge: Judge, tmp_path: Path
) -> None:
    """Passes on one node delete all rows of the old batches while workers report through every node."""
    for number in range(OLD_BATCHES):
        await _end_batch(load, f"old-{number}")
    writer = await database_cluster.writer()
    database = urls[0].rpartition("/")[2]
    await run(writer, AGE.format(table=f"{database}.batches"))
    newest = await _number(writer, NEWEST.format(database=database))
    rows_left = ROWS.format(database=database, newest=newest)
    assert await _number(writer, rows_left) == OLD_BATCHES * ROWS_OF_EACH
    async with queue_served(QueueFake()) as target:
        settings = {
            "BATCHES_DATABASE_URL": urls[1],
            "RECONCILER_JOB_STATUS_TARGET": target,
            "RECONCILER_RETENTION": str(RETENTION_SECONDS),
            "RECONCILER_PASS_SECONDS_MAX": str(PASS_SECONDS),
        }

        async def purge() -> None:
            await load.ledger.more_answers(sum(WORKERS))
            while await _number(writer, rows_left):
                async with Passes(settings, tmp_path).run(0) as one:
                    assert (await one.end()).code == 0

        await load.run(WORKERS, asyncio.create_task(purge()))
    await judge(f"retention deletes {OLD_BATCHES * ROWS_OF_EACH:,} rows", load, *undisturbed(load))


async def _end_batch(load: Load, batch_id: str) -> None:
    """Create a batch and report all its jobs; they are not in the ledger, since they are deleted."""
    stub = load.servers[0].stub
    await call_until_answered(
        stub.CreateBatch, pb.CreateBatchRequest(batch_id=batch_id, total_jobs=ROWS_OF_EACH)
    )
    results = [
        pb.ReportJobResultRequest(batch_id=batch_id, job_id=f"job-{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
        for number in range(ROWS_OF_EACH)
    ]
    await call_until_answered(stub.ReportJobResults, pb.ReportJobResultsRequest(results=results))


async def _number(node: DatabaseServer, query: str) -> int:
    async with administrator(node) as connection:
        return int(await connection.scalar(text(query)) or 0)
