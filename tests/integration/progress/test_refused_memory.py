"""Refused calls leave nothing in the memory of a server."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.progress.permissions import SERVICE
from tests.support.progress import progress_process

CALLS = 100
TEXT = "x" * 4_000_000
RISE_MIB_MAX = 64
"""The allocator keeps the buffers of some messages, 20 to 47 MiB were measured; 100 calls send 400 MiB."""
REFUSED: dict[str, tuple[str, Any]] = {
    "empty results": ("ReportJobResults", b"\x0a\x00" * 2_000_000),
    "too many labels": (
        "CreateBatch",
        pb.CreateBatchRequest(labels={str(number): "x" for number in range(300_000)}),
    ),
    "long batch_id": ("GetBatch", pb.GetBatchRequest(batch_id=TEXT)),
    "long display_name": ("CreateBatch", pb.CreateBatchRequest(display_name=TEXT)),
    "long page_token": ("ListBatches", pb.ListBatchesRequest(page_token=TEXT)),
    "invalid bytes": ("CreateBatch", b"\xff" * 4_000_000),
    "too large": ("ReportJobResults", b"\xff" * 4_500_000),
    "no such batch": (
        "ReportJobResult",
        pb.ReportJobResultRequest(
            batch_id="b", job_id="j", outcome=pb.JOB_OUTCOME_FAILED, error_message=TEXT
        ),
    ),
}


@pytest.mark.more("sends 400 MB to a process of its own")
@pytest.mark.parametrize(("method", "request_"), REFUSED.values(), ids=REFUSED)
async def test_refused_calls_leave_nothing(tmp_path: Path, method: str, request_: Any) -> None:
    """After 100 calls of 4 MB, the largest memory ever is less than 64 MiB above that before them."""
    raw = request_ if isinstance(request_, bytes) else request_.SerializeToString()
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        call: Any = channel.unary_unary(f"/{SERVICE}/{method}")
        await _refuse(call, b"\xff")  # what the first refusal loads is no leak
        before = await asyncio.to_thread(_peak_mib, server.pid)
        for _ in range(CALLS):
            await _refuse(call, raw)
        assert await asyncio.to_thread(_peak_mib, server.pid) - before < RISE_MIB_MAX


async def _refuse(call: Any, raw: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await call(raw)


def _peak_mib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return peak // 1024
