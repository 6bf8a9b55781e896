"""What the server tells about a batch that does not move, beside a database with a look of the reconciler."""

from batches.look import Look, PendingJob, QueuePending
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.store.steps import execute
from tests.support.progress import Served

LOOK = Look(
    "b",
    "still_pending",
    "2 jobs are still pending in Celery",
    QueuePending(2, lists_jobs=True, first_jobs=(PendingJob("j1", "sync_row", 2), PendingJob("j2"))),
)
FOUND = "2 of 2 jobs pending; looked at 0 s ago: 2 jobs are still pending in Celery"


async def stalled(progress: Served, database: Database) -> None:
    """Create a batch that has had no result for long."""
    await progress.create("b", 2)
    await execute(database, "UPDATE batches SET create_time = '2026-01-01 00:00:00.000000'")


async def test_a_stall_reason_tells_the_last_look(
    progress: Served, database: Database, store: BatchStore
) -> None:
    """GetBatch, ListBatches and the first message of a watch do."""
    await stalled(progress, database)
    await store.record_look(LOOK)
    watch = progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
    reasons = [(await anext(aiter(watch))).batch.stall_reason]
    watch.cancel()
    listed = await progress.stub.ListBatches(pb.ListBatchesRequest())
    reasons += [(await progress.get("b")).stall_reason, listed.batches[0].stall_reason]
    assert [FOUND in one for one in reasons] == [True] * 3, reasons


async def test_a_stall_reason_says_that_no_reconciler_runs(
    progress: Served, database: Database, store: BatchStore
) -> None:
    await stalled(progress, database)
    assert (await progress.get("b")).stall_reason.endswith("; no reconciler has run")
    await store.begin_pass()
    assert "not looked at yet; the reconciler last ran" in (await progress.get("b")).stall_reason
    await execute(database, "UPDATE passes SET start_time = '2026-01-01 00:00:00.000000'")
    reason = (await progress.get("b")).stall_reason
    assert reason.endswith("; no reconciler has run since 2026-01-01 00:00 UTC")


async def test_a_rate_comes_with_the_time_that_it_holds(progress: Served) -> None:
    await progress.create("b", 10)
    await progress.report("b", "j1")
    batch = await progress.get("b")
    assert batch.jobs_per_second > 0
    assert 0 < batch.pace_holds_for.ToTimedelta().total_seconds() <= 3_600
    await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
    assert not (await progress.get("b")).HasField("pace_holds_for")


async def test_pending_jobs_are_listed_page_by_page(
    progress: Served, database: Database, store: BatchStore
) -> None:
    await stalled(progress, database)
    await store.record_look(LOOK)
    first = await progress.stub.ListPendingJobs(pb.ListPendingJobsRequest(batch_id="b", page_size=1))
    request = pb.ListPendingJobsRequest(batch_id="b", page_size=1, page_token=first.next_page_token)
    second = await progress.stub.ListPendingJobs(request)
    assert list(first.pending_jobs) == [pb.PendingJob(job_id="j1", display_name="sync_row", attempt=2)]
    assert list(second.pending_jobs) == [pb.PendingJob(job_id="j2", attempt=1)]
    assert (first.reason, second.next_page_token) == ("2 jobs are still pending in Celery", "")
    assert first.HasField("look_time")


async def test_a_batch_that_was_not_looked_at_has_no_look_time(progress: Served) -> None:
    await progress.create("b", 2)
    answer = await progress.stub.ListPendingJobs(pb.ListPendingJobsRequest(batch_id="b"))
    assert answer == pb.ListPendingJobsResponse()
