"""The contract over HTTP: each method in each protocol, and what errors look like."""

import base64
import gzip
import json
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from services.gateway.contract.methods import methods_of
from tests.support.gateway import OPERATIONS, PROGRESS, WEB_END, Door, Frame, gateway
from tests.support.progress import Served

METHODS = tuple(methods_of())
NOWHERE = "127.0.0.1:1"


async def test_a_batch_is_created_reported_and_read_with_json(door: Door) -> None:
    created = await door.call("CreateBatch", batchId="b", totalJobs=2)
    assert (created.status, created.json["batch"]["pendingJobs"]) == (200, "2")
    reported = await door.call(
        "ReportJobResult", batchId="b", jobId="1", outcome="JOB_OUTCOME_FAILED", errorMessage="no"
    )
    assert reported.json == {
        "disposition": "DISPOSITION_RECORDED",
        "batchState": "BATCH_STATE_PROCESSING",
        "revision": reported.json["revision"],
    }
    read = (await door.call("GetBatch", batchId="b")).json["batch"]
    assert (read["failedJobs"], read["percentComplete"], read["state"]) == ("1", 50, "BATCH_STATE_PROCESSING")


async def test_fields_of_value_zero_are_in_the_json(door: Door) -> None:
    await door.call("CreateBatch", batchId="b", totalJobs=2, sealed=False)
    read = (await door.call("GetBatch", batchId="b")).json["batch"]
    assert (read["failedJobs"], read["percentComplete"], read["sealed"]) == ("0", 0, False)


async def test_a_report_is_recorded_from_a_binary_message(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    report = pb.ReportJobResultRequest(batch_id="b", job_id="1", outcome=pb.JOB_OUTCOME_SUCCEEDED)
    answer = await door.post(f"/{PROGRESS}/ReportJobResult", report.SerializeToString(), "application/proto")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/proto")
    assert pb.ReportJobResultResponse.FromString(answer.body).disposition == pb.DISPOSITION_RECORDED
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_each_method_reaches_the_server(door: Door) -> None:
    """An empty request is answered by the server: with a response, or with the invalid field."""
    for method in METHODS:
        if method.is_stream:
            continue
        answer = await door.post(method.path, b"{}")
        is_invalid = answer.status == 400 and answer.error.reason == "INVALID_FIELD"
        assert is_invalid or answer.status == 200, method.path
    async with door.stream("WatchBatch", b"{}") as frames:
        (end,) = [frame async for frame in frames]
    assert end.json["error"]["code"] == "invalid_argument"


async def test_only_methods_without_side_effects_can_be_called_by_get(door: Door) -> None:
    for method in METHODS:
        service, name = method.path.strip("/").split("/")
        answer = await door.get(name, service=service)
        if name.startswith(("Get", "List")):
            assert answer.status in {200, 400}, method.path
        else:
            assert (answer.status, answer.headers["allow"]) == (405, "post"), method.path


async def test_a_batch_is_read_by_get(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    answer = await door.get("GetBatch", batchId="b")
    assert (answer.json["batch"]["batchId"], answer.headers["cache-control"]) == ("b", "no-store")
    binary = await door.get_binary("GetBatch", pb.GetBatchRequest(batch_id="b"))
    assert pb.GetBatchResponse.FromString(binary.body).batch.batch_id == "b"


async def test_the_server_and_its_passes_are_told(door: Door) -> None:
    info = await door.get("GetServerInfo", service=OPERATIONS)
    assert info.json["version"]
    assert (await door.get("ListPasses", service=OPERATIONS)).json["passes"] == []


async def test_a_batch_is_read_by_grpc_web(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    request = pb.GetBatchRequest(batch_id="b").SerializeToString()
    for kind in ("application/grpc-web", "application/grpc-web+proto"):
        async with door.stream("GetBatch", request, kind) as frames:
            message, end = [frame async for frame in frames]
        assert pb.GetBatchResponse.FromString(message.data).batch.batch_id == "b"
        assert (end.flags, trailers(end)["grpc-status"]) == (WEB_END, "0")


async def test_an_error_of_grpc_web_has_its_status(door: Door) -> None:
    request = pb.GetBatchRequest(batch_id="b").SerializeToString()
    async with door.stream("GetBatch", request, "application/grpc-web+proto") as frames:
        (end,) = [frame async for frame in frames]
    assert trailers(end)["grpc-status"] == "5"
    assert "grpc-status-details-bin" in trailers(end)


def trailers(end: Frame) -> dict[str, str]:
    """Return what the last frame of gRPC-Web says."""
    return dict(line.split(":", 1) for line in end.data.decode().replace(": ", ":").split("\r\n") if line)


async def test_an_error_has_the_code_and_the_details_of_the_server(door: Door) -> None:
    missing = await door.call("GetBatch", batchId="b")
    assert (missing.status, missing.error) == (404, ("not_found", "BATCH_NOT_FOUND", ()))
    invalid = await door.call("GetBatch", batchId="not an id")
    assert (invalid.status, invalid.error) == (400, ("invalid_argument", "INVALID_FIELD", ("batch_id",)))


async def test_a_detail_is_the_same_in_base64_and_in_json(door: Door) -> None:
    error = (await door.call("GetBatch", batchId="b")).json
    info = next(one for one in error["details"] if one["type"].endswith("ErrorInfo"))
    packed = base64.b64decode(info["value"] + "==")
    assert error_details_pb2.ErrorInfo.FromString(packed).reason == info["debug"]["reason"]


@pytest.mark.parametrize("headers", [{}, {"connect_timeout_ms": "30000"}], ids=["plain", "connectrpc"])
async def test_a_time_to_try_again_is_a_header(headers: dict[str, str]) -> None:
    """Rounded up to whole seconds."""
    busy = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKLOG_FULL", "wait", retry_delay_seconds=1.2)
    server = grpc.aio.server()

    async def refuse(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(busy.code, busy.message, busy.trailing_metadata())

    handlers: dict[str, Any] = {"ReportJobResult": grpc.unary_unary_rpc_method_handler(refuse)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(PROGRESS, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with gateway(f"127.0.0.1:{port}") as door:
        answer = await door.post(f"/{PROGRESS}/ReportJobResult", b"{}", **headers)
    await server.stop(None)
    assert (answer.status, answer.headers["retry-after"]) == (429, "2")
    assert answer.error == ("resource_exhausted", "BACKLOG_FULL", ())


async def test_a_server_that_is_down_is_named_by_no_address() -> None:
    async with gateway(NOWHERE) as door:
        answer = await door.call("GetBatch", batchId="b")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.error == ("unavailable", "SERVER_UNREACHABLE", ())
    assert b"127.0.0.1" not in answer.body


async def test_a_caller_may_ask_for_less_time(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    answer = await door.post(f"/{PROGRESS}/GetBatch", b'{"batchId":"b"}', connect_timeout_ms="0")
    assert (answer.status, answer.error.code) == (504, "deadline_exceeded")


@pytest.mark.more("converts a megabyte of JSON")
async def test_ten_thousand_results_are_reported_in_one_post(door: Door, progress: Served) -> None:
    await progress.create("b", 10_000)
    results = [
        {"jobId": str(number), "batchId": "b", "outcome": "JOB_OUTCOME_SUCCEEDED"} for number in range(10_000)
    ]
    answer = await door.call("ReportJobResults", results=results)
    assert answer.status == 200, json.dumps(answer.json)[:500]
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_gzipped_request_is_read_and_answered(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    answer = await door.post(
        f"/{PROGRESS}/GetBatch",
        gzip.compress(b'{"batchId":"b"}'),
        content_encoding="gzip",
        accept_encoding="gzip",
    )
    assert json.loads(gzip.decompress(answer.body))["batch"]["batchId"] == "b"
