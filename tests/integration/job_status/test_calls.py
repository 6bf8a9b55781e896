"""The calls of JobStatusService, over the wire."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import job_status_pb2_grpc, progress_pb2
from rpc.answers.page_tokens import encode_token
from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token
from tests.integration.job_status.answers import refused
from tests.integration.job_status.queues import JobTableQueue, LaravelQueue
from tests.integration.job_status.servers import Client, serving

JOBS = {"a": "succeeded", "A": "failed", "b": "waiting"}
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""The default limit of a gRPC client."""


@pytest.fixture
async def laravel(queue_url: str) -> LaravelQueue:
    """Return an application without batches."""
    queue = LaravelQueue(queue_url)
    await queue.create()
    return queue


@pytest.fixture
async def job_table(queue_url: str) -> JobTableQueue:
    """Return the documented table, empty."""
    queue = JobTableQueue(queue_url)
    await queue.create()
    return queue


@pytest.fixture
async def laravel_client(laravel: LaravelQueue, queue_url: str) -> AsyncIterator[Client]:
    """Return a client of the server over Laravel, with the batch `batch`."""
    await laravel.put("batch", JOBS)
    async with serving("laravel", queue_url) as client:
        yield client


@pytest.fixture
async def client(job_table: JobTableQueue, queue_url: str) -> AsyncIterator[Client]:
    """Return a client of the server over a job table, with the batch `batch`."""
    await job_table.put("batch", JOBS)
    async with serving("job_table", queue_url) as client:
        yield client


async def test_counts_of_laravel(laravel_client: Client) -> None:
    """The table has only counts, so lists_jobs is false."""
    assert await laravel_client.counts("batch") == pb.GetBatchStatusResponse(
        total=3, succeeded=1, failed=1, pending=1
    )


async def test_counts_of_a_job_table(client: Client) -> None:
    """The table has one row per job, so lists_jobs is true."""
    assert await client.counts("batch") == pb.GetBatchStatusResponse(
        total=3, succeeded=1, failed=1, pending=1, lists_jobs=True
    )


async def test_jobs_have_their_outcomes(client: Client) -> None:
    """Jobs without an outcome are pending; `a` and `A` are two jobs."""
    page = await client.page("batch")
    assert list(page.job_statuses) == [
        pb.JobStatus(job_id="A", outcome=progress_pb2.JOB_OUTCOME_FAILED, attempt=1),
        pb.JobStatus(job_id="a", outcome=progress_pb2.JOB_OUTCOME_SUCCEEDED, attempt=1),
        pb.JobStatus(job_id="b", pending=True, attempt=1),
    ]
    assert page.next_page_token == ""


@pytest.mark.parametrize("size", [1, 2, 3, 4])
async def test_pages_contain_every_job_once(size: int, client: Client) -> None:
    """The order is the same for every page size."""
    pages = await client.pages("batch", size)
    assert [one.job_id for page in pages for one in page.job_statuses] == ["A", "a", "b"]
    assert max(len(page.job_statuses) for page in pages) <= size


async def test_page_sizes_have_a_default_and_a_maximum(client: Client, job_table: JobTableQueue) -> None:
    """1,000 jobs by default, 5,000 at most."""
    await job_table.put("large", {f"job-{number}": "waiting" for number in range(5_001)})
    assert len((await client.page("large")).job_statuses) == 1_000
    assert len((await client.page("large", 1_000_000)).job_statuses) == 5_000


async def test_page_of_long_errors_is_shortened(client: Client, job_table: JobTableQueue) -> None:
    """Any client can then read the page."""
    rows = [{"job": f"job-{number}", "state": "failed", "message": "€" * 9_000} for number in range(1_500)]
    await job_table.put_rows("loud", *rows)
    pages = await client.pages("loud", 5_000)
    assert {one.job_id for page in pages for one in page.job_statuses} == {row["job"] for row in rows}
    assert sum(len(page.job_statuses) for page in pages) == len(rows)
    assert max(page.ByteSize() for page in pages) <= MESSAGE_BYTES_MAX


async def test_queue_with_counts_only_lists_no_jobs(laravel_client: Client) -> None:
    answer = await refused(laravel_client.page("batch"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "JOBS_NOT_LISTED")


async def test_unknown_batch_is_not_found(client: Client, laravel_client: Client) -> None:
    """Ids are case-sensitive."""
    for call in (client.counts("BATCH"), client.page("BATCH"), laravel_client.counts("BATCH")):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND")


@pytest.mark.parametrize("batch_id", ["", "two words", "über", "x" * 129, "line\n", "nul\0"])
async def test_invalid_id_is_named(batch_id: str, client: Client) -> None:
    for call in (client.counts(batch_id), client.page(batch_id)):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert answer.fields == ("batch_id",)


async def test_all_invalid_fields_are_named(client: Client) -> None:
    answer = await refused(client.page("", -1, "nonsense"))
    assert answer.fields == ("batch_id", "page_size", "page_token")


async def test_page_token_of_another_batch_is_refused(client: Client, job_table: JobTableQueue) -> None:
    await job_table.put("another", JOBS)
    page = await client.page("another", 1)
    answer = await refused(client.page("batch", 1, page.next_page_token))
    assert (answer.reason, answer.fields) == ("INVALID_FIELD", ("page_token",))


def _handmade(key: object) -> str:
    fingerprint = json.loads(base64.urlsafe_b64decode(encode_token("ListJobStatuses", "batch", "k") + "=="))[
        0
    ]
    return base64.urlsafe_b64encode(json.dumps([fingerprint, key]).encode()).decode()


@pytest.mark.parametrize("key", [7, None, "", "two words", "\ud800", "x" * 129, "\0"])
async def test_handmade_token_with_an_impossible_key_is_refused(key: object, client: Client) -> None:
    answer = await refused(client.page("batch", 1, _handmade(key)))
    assert (answer.reason, answer.fields) == ("INVALID_FIELD", ("page_token",))


@pytest.mark.parametrize("method", ["GetBatchStatus", "ListJobStatuses"])
async def test_malformed_bytes_are_refused(method: str, client: Client) -> None:
    answer = await refused(_raw(client, method)(b"\xff\xff\xff"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


async def test_unknown_method_is_unimplemented(client: Client) -> None:
    answer = await refused(_raw(client, "DeleteBatch")(b""))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD")


def _raw(client: Client, method: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    path = f"/batchprogress.v1.JobStatusService/{method}"
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(path)
    return call


async def test_unreadable_row_is_a_contradiction(laravel_client: Client, laravel: LaravelQueue) -> None:
    """The batch is not unknown, and a retry would not help."""
    await laravel.put_row("broken", 3, 3, '["secret-')
    answer = await refused(laravel_client.counts("broken"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "QUEUE_CONTRADICTION")
    assert "failed_job_ids" in answer.message
    assert "secret" not in answer.message


async def test_job_with_an_impossible_id_is_a_contradiction(client: Client, job_table: JobTableQueue) -> None:
    await job_table.put("broken", {"two words": "waiting"})
    answer = await refused(client.page("broken"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "QUEUE_CONTRADICTION")


async def test_contradiction_tells_its_problem(laravel_client: Client, laravel: LaravelQueue) -> None:
    await laravel.put_row("odd", 1, 2, "[]")
    answer = await refused(laravel_client.counts("odd"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "QUEUE_CONTRADICTION")
    assert answer.problem == "pending_jobs is greater than total_jobs"


async def test_table_name_is_a_setting(queue_url: str, laravel: LaravelQueue) -> None:
    await laravel.put("batch", JOBS)
    await laravel.rename("app_batches")
    async with serving("laravel", queue_url, laravel_table="app_batches") as client:
        assert (await client.counts("batch")).total == len(JOBS)


async def test_batch_with_another_prefix_looks_unknown(
    job_table: JobTableQueue, queue_url: str, tmp_path: Path
) -> None:
    """A reader whose token has another prefix gets the same answer as for an unknown batch."""
    token, file = new_token(), tmp_path / "tokens.toml"
    file.write_text(entry_text("reader", token, [Role.READER], "mine-"), encoding="ascii")
    for batch_id in ("mine-1", "other-mine-1"):
        await job_table.put(batch_id, JOBS)
    async with serving("job_table", queue_url, tokens_file=file) as client:
        stub: Any = job_status_pb2_grpc.JobStatusServiceStub(client.channel)
        metadata = (("authorization", f"Bearer {token}"),)
        for call, request in (
            (stub.GetBatchStatus, pb.GetBatchStatusRequest),
            (stub.ListJobStatuses, pb.ListJobStatusesRequest),
        ):
            await call(request(batch_id="mine-1"), metadata=metadata)
            for batch_id in ("other-mine-1", "mine-unknown"):
                answer = await refused(call(request(batch_id=batch_id), metadata=metadata))
                assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND")
