"""The history of a batch, as the contract answers it."""

from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import Served


async def test_history_begins_with_the_creation_and_ends_with_the_batch(progress: Served) -> None:
    created = await progress.create("b", 3)
    await progress.report("b", "a")
    await progress.report("b", "b", pb.JOB_OUTCOME_FAILED)
    await progress.report("b", "c", pb.JOB_OUTCOME_SKIPPED)
    batch = await progress.get("b")
    history = await progress.stub.GetBatchHistory(pb.GetBatchHistoryRequest(batch_id="b"))
    first, *_, last = history.points
    assert first == pb.HistoryPoint(time=created.create_time, total_jobs=3)
    assert last == pb.HistoryPoint(
        time=batch.last_result_time, total_jobs=3, succeeded_jobs=1, failed_jobs=1, skipped_jobs=1
    )
