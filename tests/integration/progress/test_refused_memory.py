"""Refused calls leave nothing in the memory of a server."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.progress.permissions import SERVICE
from tests.faults.footprint import peak_bytes
from tests.support.answers import answered
from tests.support.greedy import Attack
from tests.support.progress import progress_process, stub_of
from tests.support.refused_requests import REFUSED

CALLS = 100
PARALLEL = 32
PARALLEL_ROUNDS = 2
BACKLOG_CALLERS = 30
ACCEPTED = 11
"""The calls of 10,000 results that a backlog of 100,000 has room for, and one that is being read."""
ACCEPTED_MIB_MAX = 20
"""A call of 3 MB takes some 15 MiB while its results wait."""
RISE_MIB_MAX = 32
"""The allocator keeps the buffers of some messages, 8 to 20 MiB were measured; 100 calls send 400 MiB."""
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""As the image and the systemd units set it: otherwise each thread keeps buffers of its own."""


@pytest.mark.more("sends 400 MB to a process of its own")
@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
async def test_refused_calls_leave_nothing(tmp_path: Path, refused: Attack) -> None:
    """After 100 calls of 4 MB, the largest memory ever is less than 32 MiB above that before them."""
    raw = refused.make(0)
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db", **ONE_HEAP) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        call: Any = channel.unary_unary(f"/{SERVICE}/{refused.method}")
        await _refuse(call, b"\xff")  # what the first refusal loads is no leak
        before = await asyncio.to_thread(_peak_mib, server.pid)
        for _ in range(CALLS):
            await _refuse(call, raw)
        assert await asyncio.to_thread(_peak_mib, server.pid) - before < RISE_MIB_MAX


@pytest.mark.more("sends 500 MB to a process of its own")
async def test_parallel_refused_calls_take_only_their_messages(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """While 32 callers send 4 MB each, the memory rises by less than twice these messages."""
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db", **ONE_HEAP) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        await _refuse(channel.unary_unary(f"/{SERVICE}/GetBatch"), b"\xff")
        before = await asyncio.to_thread(_peak_mib, server.pid)
        for _ in range(PARALLEL_ROUNDS):
            await asyncio.gather(
                *(
                    _refuse(channel.unary_unary(f"/{SERVICE}/{refused.method}"), refused.make(0))
                    for refused in itertools.islice(itertools.cycle(REFUSED), PARALLEL)
                )
            )
        rise = await asyncio.to_thread(_peak_mib, server.pid) - before
    figures(f"{PARALLEL} parallel calls of 4 MB: {before} + {rise} MiB")
    assert rise < 2 * 4 * PARALLEL


@pytest.mark.more("sends 4 MB to each method of a process of its own")
@pytest.mark.parametrize("path", [f"/{SERVICE}/WatchBatch", "/grpc.health.v1.Health/Watch"])
async def test_no_large_request_is_held_by_a_watch(tmp_path: Path, path: str) -> None:
    """A watch lasts as long as its client likes, with all bytes of its request, also those of no field."""
    unknown = b"\xfa\x7f" + b"\x80\x92\xf4\x01" + b"x" * 4_000_000
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db", **ONE_HEAP) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        await stub_of(channel).CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
        request = pb.WatchBatchRequest(batch_id="b").SerializeToString() if SERVICE in path else b""
        call: Any = channel.unary_stream(path)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request + unknown).read()
        assert answered(caught.value).reason == "MESSAGE_TOO_LARGE"


@pytest.mark.more("sends 3 MB a call, from 30 callers")
async def test_reports_refused_for_backlog_take_only_their_messages(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """Of 30 callers with 3 MB each, 10 wait in the backlog; the others are refused, undecoded."""
    results = [
        pb.ReportJobResultRequest(
            batch_id="b", job_id=f"j{job}", outcome=pb.JOB_OUTCOME_FAILED, error_message="x" * 280
        )
        for job in range(10_000)
    ]
    raw = pb.ReportJobResultsRequest(results=results).SerializeToString()
    codes = Counter[str]()
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db", **ONE_HEAP) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        await stub_of(channel).CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=len(results)))
        call: Any = channel.unary_unary(f"/{SERVICE}/ReportJobResults")
        before = await asyncio.to_thread(_peak_mib, server.pid)

        async def report() -> None:
            for _ in range(PARALLEL_ROUNDS):
                codes[(await call(raw).code()).name] += 1

        await asyncio.gather(*(report() for _ in range(BACKLOG_CALLERS)))
        rise = await asyncio.to_thread(_peak_mib, server.pid) - before
    figures(f"{BACKLOG_CALLERS} parallel reports of 3 MB: {before} + {rise} MiB, {dict(codes)}")
    assert codes["OK"]
    assert codes["RESOURCE_EXHAUSTED"]
    assert codes.total() == codes["OK"] + codes["RESOURCE_EXHAUSTED"]
    assert rise < ACCEPTED * ACCEPTED_MIB_MAX + BACKLOG_CALLERS * 4


async def _refuse(call: Any, raw: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await call(raw)


def _peak_mib(pid: int) -> int:
    return peak_bytes(pid) // 2**20
