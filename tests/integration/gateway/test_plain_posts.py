"""Small posts are answered without connectrpc, and as connectrpc answers them."""

import asyncio
import gzip
import json
import threading
from typing import Any

import pytest
from connectrpc.compression.gzip import GzipCompression

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract import plain_posts
from services.gateway.contract.messages import AT_ONCE_BYTES_MAX
from tests.support.eventually import eventually
from tests.support.gateway import JSON, PROGRESS, SECONDS_MAX, Answer, Door, gateway
from tests.support.hanging_server import hanging_server
from tests.support.progress import Served

GET_BATCH = f"/{PROGRESS}/GetBatch"
REPORT = f"/{PROGRESS}/ReportJobResult"
CANCELLED_SECONDS_MAX = 15
"""Less than a call may take."""


@pytest.mark.parametrize(
    "body",
    [
        {"batchId": "b"},
        {"batchId": "missing"},
        {"batchId": "not an id"},
        {"batchId": 5},
        {"batchId": "b", "unknown": 1},
        {"batch_id": "b"},
    ],
)
async def test_both_ways_answer_the_same(door: Door, progress: Served, body: dict[str, Any]) -> None:
    """A time limit is one of the headers that are left to connectrpc."""
    await progress.create("b", 1)
    sent = json.dumps(body).encode()
    ours = await door.post(GET_BATCH, sent, x_request_id="r")
    theirs = await door.post(GET_BATCH, sent, x_request_id="r", connect_timeout_ms="30000")
    assert (ours.status, ours.headers["content-type"]) == (theirs.status, theirs.headers["content-type"])
    assert _comparable(ours) == _comparable(theirs)


def _comparable(answer: Answer) -> Any:
    return {**answer.json, "details": sorted(map(str, answer.json.get("details", ())))}


async def test_a_large_answer_is_compressed_if_the_client_reads_gzip(door: Door, progress: Served) -> None:
    for number in range(10):
        await progress.create(f"b{number}", 1)
    listed = f"/{PROGRESS}/ListBatches"
    answer = await door.post(listed, b"{}", accept_encoding="gzip, deflate")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))["batches"]) == 10
    assert "content-encoding" not in (await door.post(listed, b"{}")).headers


class RecordedGzip(GzipCompression):
    """Notes whether each body is compressed in the thread of the event loop."""

    def __init__(self) -> None:
        super().__init__(1)
        self.by_size: dict[bool, bool] = {}

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        """Compress a body."""
        is_large = len(data) > AT_ONCE_BYTES_MAX
        self.by_size[is_large] = threading.current_thread() is threading.main_thread()
        return super().compress(data)


async def test_only_a_large_answer_is_compressed_in_a_thread(
    door: Door, progress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are answered meanwhile."""
    recorded = RecordedGzip()
    monkeypatch.setattr(plain_posts, "GZIP", recorded)
    for number in range(50):
        await progress.create(f"b{number}", 1)
    for size in (b"5", b"50"):
        await door.post(f"/{PROGRESS}/ListBatches", b'{"pageSize": %s}' % size, accept_encoding="gzip")
    assert recorded.by_size == {False: True, True: False}


async def test_the_call_of_a_client_that_leaves_is_cancelled() -> None:
    async with hanging_server() as server, gateway(server.target) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        head = f"POST {REPORT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\n"
        writer.write(f"{head}content-length: 2\r\n\r\n{{}}".encode())
        await server.began.wait()
        writer.close()
        async with asyncio.timeout(CANCELLED_SECONDS_MAX):
            await server.ended.wait()


async def test_reports_on_one_connection_are_all_answered(door: Door, progress: Served) -> None:
    await progress.create("b", 20)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    async with asyncio.timeout(SECONDS_MAX):
        for number in range(20):
            body = json.dumps({"batchId": "b", "jobId": str(number), "outcome": "JOB_OUTCOME_SUCCEEDED"})
            head = f"POST {REPORT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\n"
            writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200")
            await reader.readexactly(int(answer.partition(b"content-length: ")[2].partition(b"\r")[0]))
    writer.close()

    async def is_complete() -> bool:
        return (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED

    await eventually(is_complete)
