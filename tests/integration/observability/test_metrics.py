"""The metrics of a server."""

from typing import Any

import grpc
import pytest

from batches.batch import BatchState
from batches.errors import DatabaseUnavailable
from batches.new_batch import NewBatch
from batches.repair import RepairPlan
from batches.result import JobOutcome, JobResult
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.overview import read_overview
from batches.store.refusals import Refusal
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.observability.conftest import scraped, until, value


async def test_calls_are_counted_by_method_and_code(sqlite_url: str) -> None:
    """Each call counts once, under the code that its caller got; unknown methods create no series."""
    async with scraped(sqlite_url) as (server, scrape):
        await server.create("b", 3)
        await server.report("b", "j1")
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError):
                await server.get("none")
        raw: Any = server.channel
        with pytest.raises(grpc.aio.AioRpcError):
            await raw.unary_unary("/made.Up/By-A-Stranger")(b"")
        metrics = await scrape()
    counts = 'batchprogress_call_seconds_count{code="%s",method="%s"}'
    assert value(metrics, counts % ("OK", "CreateBatch")) == 1
    assert value(metrics, counts % ("OK", "ReportJobResult")) == 1
    assert value(metrics, counts % ("NOT_FOUND", "GetBatch")) == 2
    assert value(metrics, counts % ("UNIMPLEMENTED", "other")) == 1
    assert "Stranger" not in metrics


async def test_flushes_and_watches_are_measured(sqlite_url: str) -> None:
    """A transaction counts with its results; an open watch counts until it ends as CANCELLED."""
    async with scraped(sqlite_url) as (server, scrape):
        await server.create("b", 3)
        await server.report("b", "j1")
        watch = server.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
        await watch.read()
        metrics = await until(scrape, "batchprogress_watches", 1)
        assert value(metrics, "batchprogress_flush_results_sum") == 1
        assert value(metrics, "batchprogress_flush_seconds_count") == 1
        assert value(metrics, "batchprogress_backlog_results") == 0
        lag = value(metrics, "batchprogress_feed_lag_seconds")
        assert lag is not None
        assert lag < 5
        watch.cancel()
        metrics = await until(scrape, "batchprogress_watches", 0)
        cut = 'batchprogress_call_seconds_count{code="CANCELLED",method="WatchBatch"}'
        assert value(await until(scrape, cut, 1), cut) == 1


async def test_overview_counts_batches_silence_and_repairs(database: Database) -> None:
    """Batches by state, the longest silence and the repairs of the last hour, on every engine."""
    store = BatchStore(database)
    empty = await store.read_overview(300)
    assert (empty.oldest_silence_seconds, empty.stuck_batches, empty.recent_repairs) == (0, 0, 0)
    for batch_id, total in (("old", 2), ("ended", 1)):
        await store.create_batch(NewBatch(batch_id, total))
    plan = RepairPlan(
        "ended", 1, "for a test", (JobResult("ended", "j", JobOutcome.SUCCEEDED),), closes=True, total_jobs=1
    )
    assert await store.write_repair(plan) is not None
    overview = await store.read_overview(0)
    assert overview.batches == {
        BatchState.PROCESSING: 1,
        BatchState.COMPLETED: 1,
        BatchState.CANCELLED: 0,
    }
    assert (overview.stuck_batches, overview.recent_repairs, overview.recent_repaired_jobs) == (1, 1, 1)
    assert 0 < overview.oldest_silence_seconds < 60
    assert (await database.read(lambda c: read_overview(c, 300))).stuck_batches == 0


async def test_failed_transactions_are_counted() -> None:
    """A database that does not answer counts one failure per transaction."""
    database = Database("mysql+asyncmy://root@127.0.0.1:1/none", connections_max=1)
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await database.close()
    assert database.failures == {Refusal.ELSEWHERE: 1}


@pytest.mark.more("needs a database server, which the other rules do without")
@pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True)
async def test_warnings_about_the_database_node_are_a_metric(database_url: str) -> None:
    """The account of the tests may do everything, also write to a read-only node."""
    async with scraped(database_url) as (_, scrape):
        metrics = await until(scrape, 'batchprogress_database_warnings{warning="passes_read_only"}', 1)
    assert value(metrics, 'batchprogress_database_warnings{warning="redo_log_not_flushed"}') == 0
