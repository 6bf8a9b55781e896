"""Creating, growing, sealing, cancelling and listing batches."""

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.support.answers import answered
from tests.support.progress import Served


async def test_repeated_creation_returns_the_batch(progress: Served) -> None:
    """CreateBatch with the same numbers returns the batch in its current state."""
    first = await progress.create("b", 3)
    await progress.report("b", "j1")
    again = await progress.create("b", 3)
    assert first.revision == 1
    assert (again.revision, again.succeeded_jobs) == (2, 1)


async def test_creation_with_other_numbers_is_a_conflict(progress: Served) -> None:
    """CreateBatch with the same id and another total is ALREADY_EXISTS and changes nothing."""
    await progress.create("b", 3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.create("b", 4)
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.ALREADY_EXISTS, "BATCH_CONFLICT")
    assert (await progress.get("b")).total_jobs == 3


async def test_ended_batch_is_refused_or_replaced_as_asked(progress: Served) -> None:
    """The results of the second night are not compared with those of the first."""
    await progress.create("b", 1)
    await progress.report("b", "j1")
    night_2 = pb.CreateBatchRequest(batch_id="b", total_jobs=1, request_id="r", if_ended=pb.IF_ENDED_ERROR)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.stub.CreateBatch(night_2)
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.ALREADY_EXISTS, "BATCH_ENDED")
    night_2.if_ended = pb.IF_ENDED_REPLACE
    assert (await progress.stub.CreateBatch(night_2)).batch.pending_jobs == 1
    await progress.report("b", "j1", pb.JOB_OUTCOME_FAILED)
    assert (await progress.stub.CreateBatch(night_2)).batch.failed_jobs == 1


async def test_batch_without_an_id_gets_one(progress: Served) -> None:
    batch = await progress.create("", 1)
    assert (await progress.get(batch.batch_id)).batch_id == batch.batch_id


async def test_empty_sealed_batch_completes_at_once(progress: Served) -> None:
    """A sealed batch without jobs is COMPLETED at 100 %."""
    batch = await progress.create("b", 0)
    assert (batch.state, batch.percent_complete) == (pb.BATCH_STATE_COMPLETED, 100)
    assert batch.HasField("complete_time")


async def test_name_and_labels_are_stored(progress: Served) -> None:
    """They may be in any alphabet."""
    request = pb.CreateBatchRequest(
        batch_id="b", total_jobs=1, display_name="Größe 🚀", labels={"team": "données", "env": "prod"}
    )
    await progress.stub.CreateBatch(request)
    batch = await progress.get("b")
    assert (batch.display_name, dict(batch.labels)) == ("Größe 🚀", {"team": "données", "env": "prod"})


async def test_jobs_are_added_once_per_request_id(progress: Served) -> None:
    """AddJobs with a used request_id adds nothing; with another number it is a conflict."""
    await progress.create("b", 1, sealed=False)
    request = pb.AddJobsRequest(batch_id="b", additional_jobs=5, request_id="r1")
    assert (await progress.stub.AddJobs(request)).batch.total_jobs == 6
    again = (await progress.stub.AddJobs(request)).batch
    assert (again.total_jobs, again.revision) == (6, 2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.stub.AddJobs(pb.AddJobsRequest(batch_id="b", additional_jobs=6, request_id="r1"))
    assert answered(caught.value).reason == "REQUEST_CONFLICT"


async def test_sealed_batch_accepts_no_more_jobs(progress: Served) -> None:
    await progress.create("b", 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.stub.AddJobs(pb.AddJobsRequest(batch_id="b", additional_jobs=1, request_id="r"))
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BATCH_SEALED")


async def test_only_a_sealed_batch_completes(progress: Served) -> None:
    """If all jobs of an unsealed batch have ended, it stays at 99 % until it is sealed."""
    await progress.create("b", 1, sealed=False)
    await progress.report("b", "j1")
    open_batch = await progress.get("b")
    assert (open_batch.state, open_batch.percent_complete) == (pb.BATCH_STATE_PROCESSING, 99)
    sealed = (await progress.stub.SealBatch(pb.SealBatchRequest(batch_id="b"))).batch
    assert (sealed.state, sealed.percent_complete) == (pb.BATCH_STATE_COMPLETED, 100)
    again = (await progress.stub.SealBatch(pb.SealBatchRequest(batch_id="b"))).batch
    assert again.revision == sealed.revision


async def test_cancelled_batch_still_counts_results(progress: Served) -> None:
    """Late results are recorded, and their answers tell the worker of the cancellation."""
    await progress.create("b", 2)
    cancelled = (await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))).batch
    assert cancelled.state == pb.BATCH_STATE_CANCELLED
    for job in ("j1", "j2"):
        response = await progress.report("b", job)
        assert response.batch_state == pb.BATCH_STATE_CANCELLED
    batch = await progress.get("b")
    assert (batch.state, batch.succeeded_jobs) == (pb.BATCH_STATE_CANCELLED, 2)


async def test_batches_are_listed_newest_first_in_pages(progress: Served) -> None:
    """ListBatches returns every batch exactly once."""
    names = [f"b{number}" for number in range(7)]
    for name in names:
        await progress.create(name, 1)
    listed, token = [], ""
    while True:
        page = await progress.stub.ListBatches(pb.ListBatchesRequest(page_size=3, page_token=token))
        listed += [batch.batch_id for batch in page.batches]
        token = page.next_page_token
        if not token:
            break
    assert listed == names[::-1]


async def test_batches_are_filtered_by_state_and_labels(progress: Served) -> None:
    """ListBatches returns the batches that match all filters."""
    for name, total, labels in (("a", 0, {"x": "1"}), ("b", 1, {"x": "1", "y": "2"}), ("c", 1, {"x": "2"})):
        await progress.stub.CreateBatch(pb.CreateBatchRequest(batch_id=name, total_jobs=total, labels=labels))
    request = pb.ListBatchesRequest(state=pb.BATCH_STATE_PROCESSING, labels={"x": "1"})
    assert [batch.batch_id for batch in (await progress.stub.ListBatches(request)).batches] == ["b"]
