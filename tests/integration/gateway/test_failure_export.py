"""Every failed job of a batch as a file."""

import asyncio
import json
from http import HTTPStatus

import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.reads import failure_export
from tests.support.gateway import Door, gateway
from tests.support.progress import Served

JOBS = 25


async def fail_jobs(progress: Served, batch_id: str = "b") -> None:
    """Create a batch whose jobs fail, each with an error of its own kind, and one that succeeds."""
    await progress.create(batch_id, JOBS + 1)
    results = [
        pb.ReportJobResultRequest(
            batch_id=batch_id,
            job_id=f"j{number:02}",
            outcome=pb.JOB_OUTCOME_FAILED,
            error_type=f"Kind{number}",
            error_message="ä",
        )
        for number in range(JOBS)
    ]
    await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))
    await progress.report(batch_id, "fine")


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_export, "PAGE_SIZE", 10)


async def test_each_failed_job_is_in_the_file_once(door: Door, progress: Served) -> None:
    await fail_jobs(progress)
    answer = await door.send("GET", "/v1/batch/failures.csv?batch_id=b")
    assert answer.status == HTTPStatus.OK
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="failures-b.csv"'
    heads, *rows = answer.body.decode().splitlines()
    assert heads.startswith("job_id,")
    assert [row.split(",")[0] for row in rows] == [f"j{number:02}" for number in range(JOBS)]
    lines = (await door.send("GET", "/v1/batch/failures.jsonl?batch_id=b")).body.decode().splitlines()
    assert [json.loads(line)["errorType"] for line in lines] == [f"Kind{number}" for number in range(JOBS)]


async def test_the_file_may_have_the_jobs_with_a_prefix_alone(door: Door, progress: Served) -> None:
    await fail_jobs(progress)
    answer = await door.send("GET", "/v1/batch/failures.jsonl?batch_id=b&job_id_prefix=j1")
    assert len(answer.body.decode().splitlines()) == 10


async def test_a_batch_that_does_not_exist_has_no_file(door: Door) -> None:
    answer = await door.send("GET", "/v1/batch/failures.csv?batch_id=b")
    assert (answer.status, answer.error.reason) == (HTTPStatus.NOT_FOUND, "BATCH_NOT_FOUND")
    assert (await door.send("POST", "/v1/batch/failures.csv")).status == HTTPStatus.METHOD_NOT_ALLOWED


async def test_only_some_files_are_sent_at_a_time(
    door: Door, progress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_export, "EXPORTS_MAX", 0)
    await fail_jobs(progress)
    answer = await door.send("GET", "/v1/batch/failures.csv?batch_id=b")
    assert (answer.status, answer.error.reason) == (HTTPStatus.TOO_MANY_REQUESTS, "GATEWAY_BUSY")


async def test_a_file_that_breaks_off_is_not_taken_for_a_whole_one(
    door: Door, progress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is cut before the end of the answer."""
    monkeypatch.setattr(failure_export, "EXPORT_SECONDS_MAX", 0.0)
    await fail_jobs(progress)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await door.send("GET", "/v1/batch/failures.csv?batch_id=b")


async def test_the_page_knows_where_the_queue_shows_a_job(progress: Served) -> None:
    template = "https://flower.example.com/task/{job_id}"
    async with gateway(f"127.0.0.1:{progress.port}", job_url=template) as door:
        answer = await door.send("GET", "/page.json")
        assert answer.json["jobUrl"] == template
        assert "content-security-policy" in answer.headers
