"""Answers the posts that clients send most: small unary requests without compression and time limit.

connectrpc answers them in the same way, but with 130 µs of CPU instead of 15, among others for a task per
call that waits for the client to leave. Here the connection itself tells that.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping

import grpc
from connectrpc.compression.gzip import GzipCompression
from starlette.types import ASGIApp, Receive, Scope, Send

from rpc.telemetry.metrics import CallMetrics
from services.gateway.contract.answers import Answer
from services.gateway.contract.caller import PASSED_ON
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.json_answers import send_error
from services.gateway.contract.messages import AT_ONCE_BYTES_MAX, BINARY, JSON, Encoded
from services.gateway.contract.methods import Method
from services.gateway.web.http_connection import CONNECTION, HttpConnection

CODECS = {b"application/json": JSON, b"application/proto": BINARY}
LEFT_TO_OTHERS = (b"content-encoding", b"connect-timeout-ms")
"""Headers with which connectrpc answers a request."""
VERSION, VERSION_1 = b"connect-protocol-version", b"1"
COMPRESSED_BYTES_MIN = 1_024
"""Smaller answers fit into a packet as they are."""
GZIP = GzipCompression(1)
"""Level 1 takes a third of the time of the default, and makes answers a tenth larger."""
OK = 200
READ = (*PASSED_ON, "cache-control")
"""The headers that decide with whose token a call is made, and whether its answer may be shared."""
RawHeaders = Mapping[bytes, bytes]


class PlainPosts:
    """Answers the posts that it can answer, and leaves all other requests to another application.

    Args:
        methods: the methods of the contract.
        forwarder: makes the calls.
        metrics: counts them.
        others: answers all other requests.

    """

    def __init__(
        self, methods: Iterable[Method], forwarder: Forwarder, metrics: CallMetrics, others: ASGIApp
    ) -> None:
        self._methods = {method.path: method for method in methods if not method.is_stream}
        self._forwarder = forwarder
        self._metrics = metrics
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers: RawHeaders = dict(reversed(scope["headers"]))  # the first of several counts
        method = self._methods.get(scope["path"])
        codec = CODECS.get(headers.get(b"content-type", b""))
        if method is None or codec is None or scope["method"] != "POST" or not _is_plain(headers):
            await self._others(scope, receive, send)
            return
        body = await _body(receive)
        if body is not None:
            await self._answer(method, Encoded(codec, body), headers, scope, send)

    async def _answer(
        self, method: Method, sent: Encoded, headers: RawHeaders, scope: Scope, send: Send
    ) -> None:
        began = time.perf_counter()
        code = grpc.StatusCode.OK
        connection: HttpConnection = scope["extensions"][CONNECTION]
        try:
            await _send(send, sent.codec, await self._response(method, sent, headers, connection), headers)
        except Answer as answer:
            code = answer.grpc_code
            await send_error(send, answer)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            if connection.is_open:  # the client has not left: this process ends
                raise
        finally:
            self._metrics.observe(method.path, code, time.perf_counter() - began)

    async def _response(
        self, method: Method, sent: Encoded, headers: RawHeaders, connection: HttpConnection
    ) -> bytes:
        if (task := asyncio.current_task()) is not None:
            connection.when_lost = task.cancel
        try:
            return await self._forwarder.answer(method, sent, _read_by_forwarder(headers))
        finally:
            connection.when_lost = None


def _is_plain(headers: RawHeaders) -> bool:
    length = headers.get(b"content-length", b"")
    return (
        length.isdigit()
        and int(length) <= AT_ONCE_BYTES_MAX
        and headers.get(VERSION, VERSION_1) == VERSION_1
        and not any(name in headers for name in LEFT_TO_OTHERS)
    )


async def _body(receive: Receive) -> bytes | None:
    """Read the body of a request; None if its client has left."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


def _read_by_forwarder(headers: RawHeaders) -> Mapping[str, str]:
    return {name: value.decode() for name in READ if (value := headers.get(name.encode())) is not None}


async def _send(send: Send, codec: str, body: bytes, headers: RawHeaders) -> None:
    named = [(b"content-type", b"application/" + codec.encode())]
    if len(body) >= COMPRESSED_BYTES_MIN and b"gzip" in headers.get(b"accept-encoding", b""):
        body = await _compressed(body)
        named += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
    await send({"type": "http.response.start", "status": OK, "headers": named})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _compressed(body: bytes) -> bytes:
    """Compress a body; a large one in a thread: 3 MiB take 25 ms, in which nobody else would be answered."""
    if len(body) <= AT_ONCE_BYTES_MAX:
        return GZIP.compress(body)
    return await asyncio.to_thread(GZIP.compress, body)
