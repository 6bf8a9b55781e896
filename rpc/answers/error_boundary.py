"""The interceptor around all that may fail: whatever goes wrong inside, only a documented answer leaves.

grpc.aio sends the text of an uncaught exception to the client, a DSN included, and
answers UNKNOWN to bytes that are no message. So the boundary takes the bytes as they
came, decodes them itself, and turns each exception into a Refusal.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import structlog

from process.logs import REQUEST_ID
from rpc.answers.handlers import Context, Handler
from rpc.answers.refusal import Refusal, Violation

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""gRPC's own default; 10,000 results with short errors take some 1 MiB. Checked here, not in the transport,
because the transport answers RESOURCE_EXHAUSTED, which tells a worker to try again for ever."""

Translate = Callable[[Exception], Refusal | None]
"""Turns an exception of the domain into its answer; None for one it does not know."""

_log = structlog.get_logger()


class ErrorBoundary(grpc.aio.ServerInterceptor):
    """Maps every exception of a handler, and every undecodable request, to a Refusal."""

    def __init__(self, translate: Translate) -> None:
        """Take the one function that knows the errors of the service's domain."""
        self._translate = translate
        self._answering: dict[str, Handler] = {}
        """Made once for each method that is served, not once a call."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap the handler of a method; a call that is not let in is answered before its message is read."""
        try:
            handler = await continuation(handler_call_details)
        except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
            return _refusing(self._refusal(handler_call_details.method, error))
        if handler is None:
            return _refusing(Refusal(grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD", "no such method"))
        if handler.request_streaming:
            return handler  # only reflection streams requests, and it answers its own errors
        method = handler_call_details.method
        if method not in self._answering:
            self._answering[method] = self._answering_of(handler, method)
        return self._answering[method]

    def _answering_of(self, handler: Handler, method: str) -> Handler:
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler, method), response_serializer=handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler, method), response_serializer=handler.response_serializer
        )

    def _unary(self, handler: Handler, method: str) -> Callable[[bytes, Context], Awaitable[Any]]:
        behavior: Any = handler.unary_unary
        decode: Any = handler.request_deserializer

        async def answer(raw: bytes, context: Context) -> Any:
            try:
                return await behavior(_decoded(decode, raw), context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
                await self._abort(context, method, error)

        return answer

    def _stream(self, handler: Handler, method: str) -> Callable[[bytes, Context], AsyncIterator[Any]]:
        behavior: Any = handler.unary_stream
        decode: Any = handler.request_deserializer

        async def answer(raw: bytes, context: Context) -> AsyncIterator[Any]:
            try:
                async for message in behavior(_decoded(decode, raw), context):
                    yield message
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
                await self._abort(context, method, error)

        return answer

    async def _abort(self, context: Context, method: str, error: Exception) -> NoReturn:
        await abort(context, self._refusal(method, error))

    def _refusal(self, method: str, error: Exception) -> Refusal:
        refusal = error if isinstance(error, Refusal) else self._translate(error)
        if refusal is None:
            _log.error("unexpected error", method=method, exc_info=error)
            refusal = Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")
        return refusal


async def abort(context: Context, refusal: Refusal) -> NoReturn:
    """End the call with the refusal."""
    await context.abort(refusal.code, refusal.message, refusal.trailing_metadata(REQUEST_ID.get()))


def _decoded(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    if len(raw) > MESSAGE_BYTES_MAX:
        raise _too_large()
    try:
        return decode(raw)
    except Exception as error:  # protobuf's runtimes raise classes of their own
        message = "the bytes are no message of this method"
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE", message) from error


def _too_large() -> Refusal:
    message = f"the message is larger than {MESSAGE_BYTES_MAX} bytes"
    violation = Violation("(message)", f"must have at most {MESSAGE_BYTES_MAX} bytes")
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE", message, violations=[violation])


def _refusing(refusal: Refusal) -> Handler:
    """Return a handler as of a stream: it answers before a message has come, whatever kind of call it is."""

    async def refuse(_messages: AsyncIterator[bytes], context: Context) -> NoReturn:
        await abort(context, refusal)

    return grpc.stream_stream_rpc_method_handler(refuse)
