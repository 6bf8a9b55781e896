"""What leaves a server if a handler fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest
from structlog.testing import capture_logs

from rpc.answers.error_interceptor import CallHooks
from rpc.answers.error_table import ErrorAnswer, ErrorTable
from rpc.serving.server import ServerOptions, create_server, listen
from tests.support.answers import answered

SECONDS_MAX = 10.0
LARGE_BYTES = 1024 * 1024
"""More than a connection takes at once."""
SECRET = "mysql://root:s3cret@db/batches"
ERRORS: ErrorTable = {KeyError: ErrorAnswer(grpc.StatusCode.NOT_FOUND, "MISSING")}


@asynccontextmanager
async def serving(error: Exception) -> AsyncIterator[Any]:
    """Serve methods that fail with an error, two of them streams; yield a channel."""

    async def unary(_request: bytes, _context: Any) -> bytes:
        raise error

    async def stream(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        raise error

    async def streams(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            async for message in stream(request, context):
                yield message

    options = ServerOptions("127.0.0.1:0")
    server = create_server(options, ERRORS)
    identity = {"request_deserializer": bytes, "response_serializer": bytes}
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, **identity),
        "Stream": grpc.unary_stream_rpc_method_handler(stream, **identity),
        "Streams": grpc.stream_stream_rpc_method_handler(streams, **identity),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.Service", methods),))
    port = listen(server, options)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def error_of(channel: Any, method: str) -> grpc.aio.AioRpcError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (
            channel.unary_unary("/a.Service/Unary")(b"") if method == "Unary" else read_all(channel, method)
        )
    return caught.value


async def read_all(channel: Any, method: str) -> None:
    """Read the stream to its end."""
    path = f"/a.Service/{method}"
    call = channel.stream_stream(path)([b""]) if method == "Streams" else channel.unary_stream(path)(b"")
    async for message in call:
        assert message == b"first"


@pytest.mark.parametrize("method", ["Unary", "Stream", "Streams"])
async def test_unexpected_error_leaves_without_its_text(method: str) -> None:
    """The caller learns nothing; the log has the error and the method."""
    with capture_logs() as log:
        async with serving(ValueError(SECRET)) as channel:
            error = await error_of(channel, method)
    answer = answered(error)
    assert (answer.code, answer.reason, error.details()) == (
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        "internal error",
    )
    assert b"s3cret" not in repr((error.details(), error.trailing_metadata())).encode()
    (line,) = (line for line in log if line["event"] == "unexpected error")
    assert (line["method"], str(line["exc_info"])) == (f"/a.Service/{method}", SECRET)


@pytest.mark.parametrize("method", ["Unary", "Stream", "Streams"])
async def test_error_of_the_domain_has_its_documented_answer(method: str) -> None:
    with capture_logs() as log:
        async with serving(KeyError("k")) as channel:
            answer = answered(await error_of(channel, method))
    assert (answer.code, answer.reason, answer.domain) == (
        grpc.StatusCode.NOT_FOUND,
        "MISSING",
        "batchprogress",
    )
    assert log == []


async def test_generator_of_a_cancelled_call_is_closed_before_the_call_is_over() -> None:
    """Its client does not read, so that the call is cancelled while a message waits to be sent."""
    is_closed = False
    over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def stream(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        nonlocal is_closed
        try:
            while True:
                yield bytes(LARGE_BYTES)
        finally:
            is_closed = True

    options = ServerOptions("127.0.0.1:0")
    hooks = CallHooks(observe=lambda *_: over.set_result(is_closed))
    server = create_server(options, ERRORS, hooks=hooks)
    handler: Any = grpc.unary_stream_rpc_method_handler(stream, request_deserializer=bytes)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.Service", {"Stream": handler}),))
    port = listen(server, options)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = cast("Any", channel).unary_stream("/a.Service/Stream")(b"")
        await call.read()
        call.cancel()
        async with asyncio.timeout(SECONDS_MAX):
            assert await over
    await server.stop(None)
