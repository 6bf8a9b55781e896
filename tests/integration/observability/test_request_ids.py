"""The id of a request, from the caller to the log and back."""

import json
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import Served, progress_process, served, stub_of


def request_id_in(error: grpc.aio.AioRpcError) -> str:
    """Return the request id in an error."""
    raw: Any = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    for detail in status_pb2.Status.FromString(raw).details:
        if detail.Is(error_details_pb2.RequestInfo.DESCRIPTOR):
            return str(error_details_pb2.RequestInfo.FromString(detail.value).request_id)
    return ""


async def failed_request_id(server: Served, *sent: tuple[str, str]) -> str:
    """Make a call that fails, with some metadata; return the request id in its error."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await server.stub.GetBatch(pb.GetBatchRequest(batch_id="none"), metadata=sent)
    return request_id_in(caught.value)


async def test_error_has_the_request_id(sqlite_url: str) -> None:
    """It is the caller's; if that is missing or invalid, the server makes a new one."""
    async with served(sqlite_url) as server:
        assert await failed_request_id(server, ("x-request-id", "sync-17")) == "sync-17"
        made = [
            await failed_request_id(server, *sent)
            for sent in ((), (), (("x-request-id", "x" * 65),), (("x-request-id", 'a "b" {c}'),))
        ]
    assert len(set(made)) == 4
    assert all(one.isalnum() for one in made)


async def test_log_has_the_request_id(sqlite_url: str) -> None:
    """With PROGRESS_LOG_CALLS each call is logged with method, code, duration, caller and id."""
    async with (
        progress_process(sqlite_url, PROGRESS_LOG_CALLS="true") as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        await stub_of(channel).ListBatches(pb.ListBatchesRequest(), metadata=(("x-request-id", "sync-17"),))
        await process.logged('"event": "call"')
        (line,) = (json.loads(one) for one in process.log.splitlines() if '"event": "call"' in one)
    assert line.pop("milliseconds") >= 0
    assert line.pop("timestamp")
    assert line == {
        "event": "call",
        "level": "info",
        "method": "/batchprogress.v1.ProgressService/ListBatches",
        "code": "OK",
        "caller": "anyone",
        "request_id": "sync-17",
    }
