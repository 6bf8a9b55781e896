"""Streams over HTTP, through restarts of the gateway and of the server."""

import asyncio
import signal
from functools import partial
from http import HTTPStatus

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.support.eventually import eventually
from tests.support.gateway import (
    END,
    PROGRESS,
    WEB_END,
    Door,
    details_of,
    enveloped,
    gateway,
    gateway_process,
)
from tests.support.progress import Served, progress_process

STREAMS = 150


async def test_a_batch_is_watched_to_its_end_with_json(door: Door, progress: Served) -> None:
    await progress.create("b", 2)
    async with door.watch("b") as frames:
        assert (await anext(frames)).json["batch"]["pendingJobs"] == "2"
        await progress.report("b", "1")
        assert (await anext(frames)).json["batch"]["percentComplete"] == 50
        await progress.report("b", "2")
        last, end = [frame async for frame in frames]
    assert last.json["batch"]["state"] == "BATCH_STATE_COMPLETED"
    assert (end.flags, end.json) == (END, {})


@pytest.mark.parametrize(
    ("kind", "end_flags"), [("application/connect+proto", END), ("application/grpc-web+proto", WEB_END)]
)
async def test_a_batch_is_watched_with_binary_messages(
    door: Door, progress: Served, kind: str, end_flags: int
) -> None:
    await progress.create("b", 1)
    await progress.report("b", "1")
    request = pb.WatchBatchRequest(batch_id="b").SerializeToString()
    async with door.stream("WatchBatch", request, kind) as frames:
        state, end = [frame async for frame in frames]
    assert pb.WatchBatchResponse.FromString(state.data).batch.state == pb.BATCH_STATE_COMPLETED
    assert end.flags == end_flags


@pytest.mark.more("waits for a heartbeat")
async def test_a_quiet_stream_has_heartbeats(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    async with door.watch("b", heartbeatInterval="1s") as frames:
        assert "batch" in (await anext(frames)).json
        assert (await anext(frames)).json == {}


async def test_that_the_server_knows_heartbeats_is_a_header(door: Door, progress: Served) -> None:
    """As in gRPC: a watcher then takes a stream without heartbeats for dead."""
    await progress.create("b", 1)
    await progress.report("b", "1")
    for kind in ("application/connect+json", "application/grpc-web+json"):
        body = enveloped(b'{"batchId": "b", "heartbeatInterval": "20s"}')
        answer = await door.post(f"/{PROGRESS}/WatchBatch", body, kind)
        assert answer.headers["batchprogress-heartbeat-seconds"] == "20"


async def test_an_unknown_batch_ends_its_stream(door: Door) -> None:
    async with door.watch("b") as frames:
        (end,) = [frame async for frame in frames]
    assert details_of(end.json["error"]) == ("not_found", "BATCH_NOT_FOUND", ())


async def test_the_stream_of_a_watcher_that_leaves_is_free_again(progress: Served) -> None:
    await progress.create("b", 1)

    async def is_shown() -> bool:
        async with door.watch("b") as frames:
            return "batch" in (await anext(frames)).json

    async with gateway(f"127.0.0.1:{progress.port}", streams_max=1) as door:
        for _ in range(3):
            await eventually(is_shown)


async def test_streams_beyond_the_limit_are_refused(progress: Served) -> None:
    await progress.create("b", 1)
    async with (
        gateway(f"127.0.0.1:{progress.port}", streams_max=1) as door,
        door.watch("b") as frames,
    ):
        await anext(frames)
        async with door.watch("b") as refused:
            (end,) = [frame async for frame in refused]
        assert details_of(end.json["error"]) == ("resource_exhausted", "GATEWAY_BUSY", ())


async def test_more_streams_than_a_connection_carries_are_open_at_once(door: Door, progress: Served) -> None:
    await progress.create("b", 1)
    begun = asyncio.Semaphore(0)

    async def watch() -> str:
        async with door.watch("b") as frames:
            first = await anext(frames)
            begun.release()
            states = [first, *[frame async for frame in frames if frame.flags != END]]
        state: str = states[-1].json["batch"]["state"]
        return state

    watching = [asyncio.create_task(watch()) for _ in range(STREAMS)]
    for _ in watching:
        await begun.acquire()
    await progress.report("b", "1")
    assert await asyncio.gather(*watching) == STREAMS * ["BATCH_STATE_COMPLETED"]


async def test_a_watch_goes_on_after_a_restart_of_the_gateway(progress: Served) -> None:
    """The stream ends with UNAVAILABLE at SIGTERM, and the next gateway resumes it by revision."""
    await progress.create("b", 2)
    async with gateway_process(f"127.0.0.1:{progress.port}") as process:
        door = Door(process.port)
        async with door.watch("b") as frames:
            revision = (await anext(frames)).json["batch"]["revision"]
            process.send(signal.SIGTERM)
            (end,) = [frame async for frame in frames]
        assert details_of(end.json["error"]) == ("unavailable", "SHUTTING_DOWN", ())
        assert await process.ended() == 0
    assert "Traceback" not in process.log
    await progress.report("b", "1")
    await progress.report("b", "2")
    async with (
        gateway(f"127.0.0.1:{progress.port}") as next_door,
        next_door.watch("b", afterRevision=revision) as frames,
    ):
        state = await anext(frames)
    assert state.json["batch"]["state"] == "BATCH_STATE_COMPLETED"


@pytest.mark.more("starts two servers as processes")
@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGTERM, "SHUTTING_DOWN"), (signal.SIGKILL, "SERVER_UNREACHABLE")]
)
async def test_a_watch_goes_on_after_a_restart_of_the_server(
    sqlite_url: str, number: signal.Signals, reason: str
) -> None:
    """The stream ends with UNAVAILABLE, and the same gateway finds the next server."""
    async with progress_process(sqlite_url) as first, gateway(first.target) as door:
        await door.call("CreateBatch", batchId="b", totalJobs=1)
        async with door.watch("b") as frames:
            revision = (await anext(frames)).json["batch"]["revision"]
            first.send(number)
            (end,) = [frame async for frame in frames]
        assert details_of(end.json["error"]) == ("unavailable", reason, ())
        await first.ended()
        async with progress_process(sqlite_url, listen=first.target):
            await eventually(partial(_reports, door))
            async with door.watch("b", afterRevision=revision) as frames:
                assert (await anext(frames)).json["batch"]["state"] == "BATCH_STATE_COMPLETED"


async def _reports(door: Door) -> bool:
    answer = await door.call("ReportJobResult", batchId="b", jobId="1", outcome="JOB_OUTCOME_SUCCEEDED")
    return answer.status == HTTPStatus.OK
