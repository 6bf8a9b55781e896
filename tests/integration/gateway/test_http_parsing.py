"""What a client may send on one connection: headers, pipelined requests, upgrades."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.gateway.web.http_connection import PIPELINED_MAX, REQUEST_BYTES_MAX
from tests.support.gateway import JSON, PROGRESS, SECONDS_MAX, Door, gateway
from tests.support.hanging_server import hanging_server

HEALTH = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
REPORT = f"POST /{PROGRESS}/ReportJobResult HTTP/1.1\r\ncontent-type: {JSON}\r\n".encode()
LOCAL = b"host: localhost\r\n"
EMPTY = b"content-length: 2\r\n\r\n{}"
AN_ANSWER = b"HTTP/1.1 "
UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"


@asynccontextmanager
async def connection(door: Door) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answered(door: Door, sent: bytes) -> bytes:
    """Send bytes, and return all that is answered until the connection is closed."""
    async with connection(door) as (reader, writer), asyncio.timeout(SECONDS_MAX):
        writer.write(sent)
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def test_pipelined_requests_are_answered_in_their_order(closed_door: Door) -> None:
    last = b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    got = await answered(closed_door, HEALTH + REPORT + LOCAL + EMPTY + HEALTH + last)
    statuses = [part[:3] for part in got.split(AN_ANSWER)[1:]]
    assert statuses == [b"200", b"503", b"200", b"404"]


async def test_a_client_that_pipelines_many_requests_is_cut(closed_door: Door) -> None:
    got = await answered(closed_door, 1_000 * HEALTH)
    assert got.count(AN_ANSWER) <= PIPELINED_MAX + 1


async def test_the_rest_of_a_pipelined_request_has_a_time_limit() -> None:
    async with (
        hanging_server() as server,
        gateway(server.target, request_seconds_max=0.3) as door,
        connection(door) as (reader, writer),
        asyncio.timeout(SECONDS_MAX),
    ):
        writer.write(REPORT + LOCAL + EMPTY)
        await server.began.wait()
        writer.write(REPORT + LOCAL + b"content-length: 20\r\n\r\n{")
        await door.send("GET", "/health")  # the gateway has read the half request before this one
        server.go.set()
        assert (await reader.readline()).startswith(AN_ANSWER + b"200")
        with contextlib.suppress(ConnectionError):
            await reader.read()


@pytest.mark.parametrize("value_bytes", [1, 1_000])
async def test_headers_are_bounded(closed_door: Door, value_bytes: int) -> None:
    """A request may have a body of 4 MiB, but not headers of this size."""
    header = b"x: " + value_bytes * b"v" + b"\r\n"
    got = await answered(closed_door, REPORT + 2 * REQUEST_BYTES_MAX // value_bytes * header)
    assert b"HTTP/1.1 200" not in got


async def test_headers_after_the_body_are_ignored(closed_door: Door) -> None:
    """Otherwise they could pass a proxy that removes them before the body."""
    chunked = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n"
    got = await answered(closed_door, REPORT + chunked + LOCAL + b"\r\n")
    assert got.startswith(AN_ANSWER + b"421")


async def test_a_body_with_two_lengths_is_refused(closed_door: Door) -> None:
    """A proxy could take the rest for another request."""
    both = b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    assert (await answered(closed_door, REPORT + LOCAL + both)).startswith(AN_ANSWER + b"400")


async def test_a_request_to_a_proxy_is_refused(closed_door: Door) -> None:
    got = await answered(closed_door, b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n")
    assert got.startswith(AN_ANSWER + b"400")


async def test_an_offer_to_upgrade_to_http_2_is_ignored(closed_door: Door) -> None:
    """Java's HttpClient and `curl --http2` make it; further requests are answered, too."""
    async with connection(closed_door) as (reader, writer), asyncio.timeout(SECONDS_MAX):
        for request in (REPORT + LOCAL + UPGRADE + EMPTY, HEALTH[:-2] + UPGRADE + b"\r\n", HEALTH):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith((AN_ANSWER + b"503", AN_ANSWER + b"200"))
            length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
