"""What a client may do to the web server: everything about a connection is bounded."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.web import http_connection, web_server
from tests.support.gateway import JSON, PROGRESS, SECONDS_MAX, Answer, Door, enveloped, gateway
from tests.support.progress import Served

NOWHERE = "127.0.0.1:1"
FAR_SECONDS = 3.0 * SECONDS_MAX
HALF_A_HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Header: "
LIST = f"POST /{PROGRESS}/ListBatches HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n".encode()
LISTED = LIST + b"Content-Length: 2\r\n\r\n{}"
HALF_A_BODY = LIST + b"Content-Length: 1000000\r\n\r\nbody"
WATCH = LIST.replace(b"ListBatches", b"WatchBatch").replace(b"/json", b"/connect+json")
ENDLESS_BODY = LIST + b"Transfer-Encoding: chunked\r\n\r\n"
STATE_INTERVAL_SECONDS = 0.25
PLACES = 16
"""The connections of a small server."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time-out end within a test."""
    for name in ("IDLE_SECONDS_MAX", "LINGER_SECONDS_MAX", "UNREAD_SECONDS_MAX"):
        monkeypatch.setattr(http_connection, name, FAR_SECONDS)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gateway with one stream have few connections."""
    monkeypatch.setattr(web_server, "OTHER_CONNECTIONS_MAX", PLACES - 2)


@pytest.mark.parametrize("half", [HALF_A_HEAD, HALF_A_BODY], ids=["head", "body"])
async def test_a_request_that_is_never_completed_is_cut(half: bytes) -> None:
    """Sending a byte now and then does not extend the time."""
    async with gateway(NOWHERE, request_seconds_max=0.3) as door, connection(door) as (reader, writer):
        writer.write(half)
        dripping = asyncio.create_task(_drip(writer))
        await _until_closed(reader)
        dripping.cancel()


async def test_a_connection_without_a_request_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds before the first request and between two requests."""
    monkeypatch.setattr(http_connection, "IDLE_SECONDS_MAX", 0.3)
    async with (
        gateway(NOWHERE) as door,
        connection(door) as (silent, _),
        connection(door) as (reader, writer),
    ):
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await _until_closed(reader)
        await _until_closed(silent)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("start", [HALF_A_HEAD, HALF_A_BODY, ENDLESS_BODY], ids=["head", "body", "chunks"])
async def test_a_request_that_is_too_large_is_cut(start: bytes) -> None:
    """The server keeps none of it, whether the rest is a header, a body or a body without an end."""
    async with (
        gateway(NOWHERE, request_seconds_max=FAR_SECONDS) as door,
        connection(door) as (reader, writer),
    ):
        writer.write(start)
        sending = asyncio.create_task(_send_for_ever(writer))
        await _until_closed(reader)
        async with asyncio.timeout(SECONDS_MAX):
            await asyncio.wait({sending})


@pytest.mark.usefixtures("patient", "small")
async def test_health_is_answered_while_half_sent_requests_hold_all_connections() -> None:
    """A new connection replaces the one that has waited longest."""
    async with (
        gateway(NOWHERE, streams_max=1, viewers_max=1, request_seconds_max=FAR_SECONDS) as door,
        AsyncExitStack() as stack,
    ):
        halves = [await stack.enter_async_context(connection(door)) for _ in range(3 * PLACES)]
        for _, writer in halves:
            writer.write(HALF_A_HEAD)
        for _ in range(PLACES):
            assert (await door.send("GET", "/health")).status == 200
        await _until_closed(halves[0][0])


@pytest.mark.usefixtures("patient", "small")
async def test_health_is_answered_while_clients_do_not_read(progress: Served) -> None:
    """Other requests are refused with a time to try again, until a client reads or goes away."""
    await _create_large_batches(progress)
    async with _with_one_stream(progress) as door:
        async with AsyncExitStack() as stack:
            for _ in range(3 * PLACES):
                _, writer = await stack.enter_async_context(connection(door))
                writer.write(LISTED)
            refused = await _until_status(door, 503)
            assert refused.json["code"] == "unavailable"
            assert refused.headers["retry-after"]
            for _ in range(PLACES):
                assert (await door.send("GET", "/health")).status == 200
        await _until_status(door, 200)


@pytest.mark.more("waits for a time-out")
async def test_a_client_that_does_not_read_its_answer_is_cut(
    progress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds its place and the answer for a bounded time."""
    monkeypatch.setattr(http_connection, "UNREAD_SECONDS_MAX", 1.0)
    monkeypatch.setattr(web_server, "OTHER_CONNECTIONS_MAX", 0)
    await _create_large_batches(progress)
    async with (
        _with_one_stream(progress) as door,
        connection(door) as (_, writer),
    ):
        writer.write(LISTED)
        await _until_status(door, 503)
        await _until_status(door, 200)


@pytest.mark.more("waits for many changes of a batch")
async def test_a_watcher_that_does_not_read_is_cut(progress: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another watcher gets its place."""
    monkeypatch.setattr(http_connection, "UNREAD_SECONDS_MAX", 1.0)
    await _create_large_batches(progress)
    async with (
        _with_one_stream(progress) as door,
        connection(door) as (_, writer),
    ):
        body = enveloped(b'{"batchId": "b0"}')
        writer.write(WATCH + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        reporting = asyncio.create_task(_report_for_ever(progress))
        while not await _is_refused(door):
            pass
        async with asyncio.timeout(SECONDS_MAX):
            while await _is_refused(door):
                pass
        reporting.cancel()


def _with_one_stream(progress: Served) -> AbstractAsyncContextManager[Door]:
    return gateway(f"127.0.0.1:{progress.port}", streams_max=1, viewers_max=1)


@asynccontextmanager
async def connection(door: Door) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection with small buffers."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.setblocking(False)  # noqa: FBT003  # no keyword
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", door.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4_096)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def _send_for_ever(writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(b"400\r\n" + 1_024 * b"x" + b"\r\n")
            await writer.drain()
    except ConnectionError:
        pass


async def _until_closed(reader: asyncio.StreamReader) -> None:
    """Read until the server has closed the connection."""
    async with asyncio.timeout(SECONDS_MAX):
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionError:
            pass


async def _is_refused(door: Door) -> bool:
    async with door.watch("b0") as frames:
        return "error" in (await anext(frames)).json


async def _report_for_ever(progress: Served) -> None:
    for number in itertools.count():
        await progress.report("b0", str(number))
        await asyncio.sleep(STATE_INTERVAL_SECONDS)


async def _until_status(door: Door, status: int) -> Answer:
    async with asyncio.timeout(SECONDS_MAX):
        while (answer := await door.call("ListBatches")).status != status:
            pass
    return answer


async def _create_large_batches(progress: Served) -> None:
    """Create batches whose list is larger than all buffers of a connection."""
    labels = {f"label-{number}": 200 * "x" for number in range(32)}
    for number in range(50):
        await progress.stub.CreateBatch(
            pb.CreateBatchRequest(batch_id=f"b{number}", total_jobs=1_000, labels=labels)
        )
