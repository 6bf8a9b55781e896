"""How reports are recorded and answered."""

import asyncio

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.support.answers import answered
from tests.support.progress import Served

SUCCEEDED, FAILED, SKIPPED = pb.JOB_OUTCOME_SUCCEEDED, pb.JOB_OUTCOME_FAILED, pb.JOB_OUTCOME_SKIPPED


def tallies(batch: pb.Batch) -> tuple[int, int, int, int]:
    """Return succeeded, failed, skipped, pending."""
    return batch.succeeded_jobs, batch.failed_jobs, batch.skipped_jobs, batch.pending_jobs


async def test_each_outcome_has_its_tally(progress: Served) -> None:
    """The tallies add up to the total, and the last result completes the batch."""
    await progress.create("b", 3)
    await progress.report("b", "j1", SUCCEEDED)
    await progress.report("b", "j2", FAILED, error_type="ValueError", error_message="no")
    assert tallies(await progress.get("b")) == (1, 1, 0, 1)
    last = await progress.report("b", "j3", SKIPPED)
    assert (last.disposition, last.batch_state, last.revision) == (
        pb.DISPOSITION_RECORDED,
        pb.BATCH_STATE_COMPLETED,
        4,
    )
    assert tallies(await progress.get("b")) == (1, 1, 1, 0)


async def test_duplicate_report_is_counted_once(progress: Served) -> None:
    """The same attempt with the same outcome is a DUPLICATE and changes nothing."""
    await progress.create("b", 2)
    first = await progress.report("b", "j")
    again = await progress.report("b", "j")
    assert (first.disposition, again.disposition) == (pb.DISPOSITION_RECORDED, pb.DISPOSITION_DUPLICATE)
    assert again.revision == first.revision
    assert tallies(await progress.get("b")) == (1, 0, 0, 1)


async def test_higher_attempt_moves_the_tallies(progress: Served) -> None:
    """Attempt 2 SUCCEEDED after attempt 1 FAILED moves both tallies; a late attempt 1 is STALE."""
    await progress.create("b", 2)
    await progress.report("b", "j", FAILED, error_type="E")
    second = await progress.report("b", "j", SUCCEEDED, attempt=2)
    assert second.disposition == pb.DISPOSITION_SUPERSEDED_EARLIER
    assert tallies(await progress.get("b")) == (1, 0, 0, 1)
    late = await progress.report("b", "j", FAILED, attempt=1)
    assert (late.disposition, late.revision) == (pb.DISPOSITION_STALE, second.revision)
    assert tallies(await progress.get("b")) == (1, 0, 0, 1)


async def test_other_outcome_of_an_attempt_is_a_conflict(progress: Served) -> None:
    """The first result of an attempt stays; another outcome is RESULT_CONFLICT and changes nothing."""
    await progress.create("b", 2)
    await progress.report("b", "j", SUCCEEDED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.report("b", "j", FAILED)
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.ALREADY_EXISTS, "RESULT_CONFLICT")
    batch = await progress.get("b")
    assert (tallies(batch), batch.revision) == ((1, 0, 0, 1), 2)


async def test_job_ids_are_case_sensitive(progress: Served) -> None:
    """Job ids `a` and `A` are two jobs."""
    await progress.create("b", 2)
    assert (await progress.report("b", "a")).disposition == pb.DISPOSITION_RECORDED
    assert (await progress.report("b", "A")).disposition == pb.DISPOSITION_RECORDED
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_job_beyond_the_total_is_refused(progress: Served) -> None:
    """A new job in a sealed batch with results for all jobs is BATCH_FULL."""
    await progress.create("b", 1)
    await progress.report("b", "j1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.report("b", "j2")
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BATCH_FULL")


async def test_report_to_an_unknown_batch_is_not_found(progress: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await progress.report("nowhere", "j")
    answer = answered(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND")


async def test_invalid_result_does_not_fail_the_others(progress: Served) -> None:
    """ReportJobResults answers each result in request order, with its disposition or error."""
    await progress.create("b", 3)
    result = pb.ReportJobResultRequest
    response = await progress.stub.ReportJobResults(
        pb.ReportJobResultsRequest(
            results=[
                result(batch_id="b", job_id="j1", outcome=SUCCEEDED),
                result(batch_id="b", job_id="has space", outcome=SUCCEEDED),
                result(batch_id="nowhere", job_id="j1", outcome=SUCCEEDED),
                result(batch_id="b", job_id="j1", outcome=FAILED),
                result(batch_id="b", job_id="j1", outcome=SUCCEEDED),
                result(batch_id="b", job_id="j2", outcome=SUCCEEDED),
            ]
        )
    )
    assert [one.error.reason or pb.Disposition.Name(one.disposition) for one in response.results] == [
        "DISPOSITION_RECORDED",
        "INVALID_FIELD",
        "BATCH_NOT_FOUND",
        "RESULT_CONFLICT",
        "DISPOSITION_DUPLICATE",
        "DISPOSITION_RECORDED",
    ]
    assert [one.field for one in response.results[1].error.field_violations] == ["job_id"]
    assert tallies(await progress.get("b")) == (2, 0, 0, 1)


async def test_ten_thousand_results_in_one_call(progress: Served) -> None:
    """The largest call is recorded in five parts, each of which raises the revision once."""
    await progress.create("b", 10_000)
    results = [
        pb.ReportJobResultRequest(batch_id="b", job_id=f"job-{number}", outcome=SUCCEEDED)
        for number in range(10_000)
    ]
    response = await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))
    assert {one.disposition for one in response.results} == {pb.DISPOSITION_RECORDED}
    batch = await progress.get("b")
    assert (batch.state, batch.revision) == (pb.BATCH_STATE_COMPLETED, 6)


async def test_percentage_is_rounded_down(progress: Served) -> None:
    """1036 of 1037 is 99 %."""
    await progress.create("b", 1_037)
    for first in range(0, 1_036, 518):
        results = [
            pb.ReportJobResultRequest(batch_id="b", job_id=f"j{number}", outcome=SUCCEEDED)
            for number in range(first, first + 518)
        ]
        await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))
    batch = await progress.get("b")
    assert (batch.percent_complete, batch.pending_jobs) == (99, 1)


async def test_cancelled_report_can_be_repeated(progress: Served) -> None:
    """It may or may not have been recorded; after the repetition it counts once."""
    await progress.create("b", 200)
    calls = [asyncio.ensure_future(progress.report("b", f"j{number}")) for number in range(200)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.gather(*(progress.report("b", f"j{number}") for number in range(200)))
    batch = await progress.get("b")
    assert (batch.state, batch.succeeded_jobs) == (pb.BATCH_STATE_COMPLETED, 200)


async def test_results_are_listed_in_byte_order(progress: Served) -> None:
    """ListJobResults returns each result once, ordered by job_id, with its error."""
    await progress.create("b", 5)
    for job in ("c", "B", "a", "A"):
        await progress.report("b", job, FAILED, error_type="E", error_message=f"of {job}")
    await progress.report("b", "b", SUCCEEDED)
    listed, token = [], ""
    while True:
        page = await progress.stub.ListJobResults(
            pb.ListJobResultsRequest(batch_id="b", outcome=FAILED, page_size=3, page_token=token)
        )
        listed += [(one.job_id, one.error_message, one.reconciled) for one in page.job_results]
        token = page.next_page_token
        if not token:
            break
    assert listed == [(job, f"of {job}", False) for job in ("A", "B", "a", "c")]


async def test_failures_are_grouped(progress: Served) -> None:
    """ListFailureGroups counts failed jobs with similar errors, the largest group first."""
    await progress.create("b", 10)
    for number, kind in enumerate(("Timeout", "Value", "Timeout", "")):
        await progress.report("b", f"j{number}", FAILED, error_type=kind, error_message=f"m{number}")
    await progress.report("b", "well", SUCCEEDED)
    groups, token = list[pb.FailureGroup](), ""
    while token or not groups:
        page = await progress.stub.ListFailureGroups(
            pb.ListFailureGroupsRequest(batch_id="b", page_size=2, page_token=token)
        )
        groups, token = [*groups, *page.failure_groups], page.next_page_token
        assert page.total_size == 3
    found = [
        (one.error_type, one.failed_jobs, one.sample_job_id, one.sample_error_message, one.message_template)
        for one in groups
    ]
    assert found[0] == ("Timeout", 2, "j0", "m0", "<*>")
    assert sorted(found[1:]) == [("", 1, "j3", "m3", "<*>"), ("Value", 1, "j1", "m1", "<*>")]
    assert groups[1].fingerprint < groups[2].fingerprint
    failed = await progress.stub.ListJobResults(
        pb.ListJobResultsRequest(batch_id="b", fingerprint=groups[0].fingerprint)
    )
    assert [one.job_id for one in failed.job_results] == ["j0", "j2"]


async def test_long_texts_are_truncated(progress: Served) -> None:
    """The type and the name of the job to 200 characters and the message to 2,000, in any alphabet."""
    await progress.create("b", 1)
    long = {"error_type": "Ä" * 300, "error_message": "🚀" * 3_000, "display_name": "ü" * 300}
    await progress.report("b", "j", FAILED, **long)
    page = await progress.stub.ListJobResults(pb.ListJobResultsRequest(batch_id="b"))
    (result,) = page.job_results
    assert (result.error_type, result.error_message) == ("Ä" * 200, "🚀" * 2_000)
    assert result.display_name == "ü" * 200
