"""The result of one job with its details, and the results of the jobs with a prefix."""

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.support.answers import answered
from tests.support.progress import Served

FAILED = pb.JOB_OUTCOME_FAILED
BYTES_MAX = 16 * 1024


async def result_of(progress: Served, job_id: str, batch_id: str = "b") -> pb.JobResult:
    """Return the result of a job."""
    request = pb.GetJobResultRequest(batch_id=batch_id, job_id=job_id)
    return (await progress.stub.GetJobResult(request)).job_result


async def test_a_failed_job_is_read_with_its_details(progress: Served) -> None:
    await progress.create("b", 2)
    await progress.report(
        "b", "j", FAILED, error_type="E", error_message="no", error_details="line 1\nline 2"
    )
    found = await result_of(progress, "j")
    assert (found.job_id, found.outcome, found.attempt) == ("j", FAILED, 1)
    assert (found.error_type, found.error_message) == ("E", "no")
    assert found.error_details == "line 1\nline 2"
    assert found.HasField("record_time")


async def test_details_are_of_the_latest_attempt_alone(progress: Served) -> None:
    await progress.create("b", 2)
    await progress.report("b", "j", FAILED, error_details="first")
    await progress.report("b", "j", FAILED, error_details="second", attempt=2)
    assert (await result_of(progress, "j")).error_details == "second"
    await progress.report("b", "j", attempt=3, error_details="of a success")
    assert (await result_of(progress, "j")).error_details == ""


async def test_details_are_cut_to_16_kib_of_utf_8(progress: Served) -> None:
    await progress.create("b", 2)
    await progress.report("b", "j", FAILED, error_details="€" * BYTES_MAX)
    assert (await result_of(progress, "j")).error_details == "€" * (BYTES_MAX // 3)


async def test_a_job_or_batch_that_does_not_exist_is_not_found(progress: Served) -> None:
    await progress.create("b", 2)
    for batch_id, reason in (("b", "RESULT_NOT_FOUND"), ("other", "BATCH_NOT_FOUND")):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await result_of(progress, "j", batch_id)
        refusal = answered(raised.value)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, reason)


async def test_invalid_ids_are_refused(progress: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await result_of(progress, "", "a b")
    assert answered(raised.value).fields == ("batch_id", "job_id")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await progress.stub.ListJobResults(pb.ListJobResultsRequest(batch_id="b", job_id_prefix="a b"))
    assert answered(raised.value).fields == ("job_id_prefix",)


async def test_results_are_listed_by_the_prefix_of_their_jobs(progress: Served) -> None:
    """Compared byte for byte, together with the other filters, and from page to page."""
    await progress.create("b", 20)
    for job_id in ("a", "row-1", "row-10", "row-2", "Row-1", "row_", "s", "row-%"):
        await progress.report("b", job_id, FAILED if job_id.endswith("1") else pb.JOB_OUTCOME_SUCCEEDED)
    request = pb.ListJobResultsRequest(batch_id="b", job_id_prefix="row-", page_size=2)
    first = await progress.stub.ListJobResults(request)
    assert [one.job_id for one in first.job_results] == ["row-%", "row-1"]
    request.page_token = first.next_page_token
    second = await progress.stub.ListJobResults(request)
    assert [one.job_id for one in second.job_results] == ["row-10", "row-2"]
    failed = pb.ListJobResultsRequest(batch_id="b", job_id_prefix="row", outcome=FAILED)
    assert [one.job_id for one in (await progress.stub.ListJobResults(failed)).job_results] == ["row-1"]
