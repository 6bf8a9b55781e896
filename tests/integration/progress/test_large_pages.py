"""Pages of the largest items, which a client with gRPC's default limits must be able to read."""

import pytest

from batches.batch import DISPLAY_NAME_CHARACTERS_MAX, LABEL_KEY_CHARACTERS_MAX, LABEL_VALUE_CHARACTERS_MAX
from batches.result import ERROR_MESSAGE_CHARACTERS_MAX
from batchprogress import AsyncClient
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from services.progress.requests import LABELS_MAX, PAGE_SIZE_MAX
from tests.support.progress import Served

WIDE = "\N{CJK UNIFIED IDEOGRAPH-9032}"
"""Three bytes in UTF-8."""
RESULTS = 1_500
RESULTS_A_CALL = 500
BATCHES = 220


async def test_results_with_the_longest_errors_are_listed(progress: Served) -> None:
    """Of 1,500 failures with 6 KB each, pages of 1,000 have at most 4 MiB and together every failure."""
    await progress.create("b", RESULTS)
    for first in range(0, RESULTS, RESULTS_A_CALL):
        await progress.stub.ReportJobResults(
            pb.ReportJobResultsRequest(
                results=[_failure(f"{number:05}") for number in range(first, first + RESULTS_A_CALL)]
            )
        )
    first_page = await progress.stub.ListJobResults(
        pb.ListJobResultsRequest(batch_id="b", page_size=PAGE_SIZE_MAX)
    )
    assert MESSAGE_BYTES_MAX / 2 < first_page.ByteSize() <= MESSAGE_BYTES_MAX
    async with AsyncClient(f"127.0.0.1:{progress.port}") as client:
        jobs = [result.job_id async for result in client.results("b", page_size=PAGE_SIZE_MAX)]
    assert jobs == [f"{number:05}" for number in range(RESULTS)]


@pytest.mark.more("writing 220 batches of 21 KB takes 3 s")
async def test_batches_with_the_largest_labels_are_listed(progress: Served) -> None:
    """Of 220 batches with 21 KB of labels each, every one is listed."""
    for number in range(BATCHES):
        await progress.stub.CreateBatch(
            pb.CreateBatchRequest(
                batch_id=f"b{number}",
                total_jobs=1,
                display_name=WIDE * DISPLAY_NAME_CHARACTERS_MAX,
                labels={
                    f"{key:0{LABEL_KEY_CHARACTERS_MAX}}": WIDE * LABEL_VALUE_CHARACTERS_MAX
                    for key in range(LABELS_MAX)
                },
            )
        )
    listed: list[str] = []
    request = pb.ListBatchesRequest(page_size=PAGE_SIZE_MAX)
    while not listed or request.page_token:
        page = await progress.stub.ListBatches(request)
        listed += [batch.batch_id for batch in page.batches]
        request.page_token = page.next_page_token
    assert listed == [f"b{number}" for number in reversed(range(BATCHES))]


def _failure(job_id: str) -> pb.ReportJobResultRequest:
    return pb.ReportJobResultRequest(
        batch_id="b",
        job_id=job_id,
        outcome=pb.JOB_OUTCOME_FAILED,
        error_message=WIDE * ERROR_MESSAGE_CHARACTERS_MAX,
    )
