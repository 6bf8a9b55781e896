"""The interceptor that turns every error into a documented answer.

grpc.aio sends the text of an uncaught exception to the client, even a database URL with its
password, and answers UNKNOWN to bytes that are not a message. So this interceptor receives
the bytes, decodes them itself, and turns each exception into a Refusal.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import structlog

from process.logs import REQUEST_ID
from rpc.answers.error_table import ErrorTable, refusal_of
from rpc.answers.handlers import Context, Continuation, Handler, WrappedHandlers
from rpc.answers.refusal import Refusal
from rpc.answers.repeated_fields import RepeatedField
from rpc.answers.request_checks import Admit, RequestChecks, check_size

_log = structlog.get_logger()


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Answers every exception of a handler, and every request that cannot be decoded, with a Refusal.

    Args:
        errors: the answers to the errors of the service's domain; any other error is answered INTERNAL,
            without its text.
        checks: what is checked before a request is decoded.

    """

    def __init__(self, errors: ErrorTable, checks: RequestChecks) -> None:
        self._errors = errors
        self._checks = checks
        self._handlers = WrappedHandlers(self._guard)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap the handler of a method; a forbidden call is answered before its message is read."""
        method = handler_call_details.method
        try:
            handler = await continuation(handler_call_details)
        except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
            return _refusing(self._refusal(method, error))
        if handler is None:
            return _refusing(Refusal(grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD", "no such method"))
        return self._handlers.of(handler, method)

    def _guard(self, handler: Handler, method: str) -> Handler:
        if handler.response_streaming:
            make = grpc.unary_stream_rpc_method_handler
            if handler.request_streaming:  # as in reflection
                make = grpc.stream_stream_rpc_method_handler
            return make(self._stream(handler, method), response_serializer=handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler, method), response_serializer=handler.response_serializer
        )

    def _unary(self, handler: Handler, method: str) -> Callable[[bytes, Context], Awaitable[Any]]:
        behavior: Any = handler.unary_unary
        decode = self._decoder(handler, method)

        async def answer(raw: bytes, context: Context) -> Any:
            try:
                return await behavior(decode(raw), context)
            except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
                refusal = self._refusal(method, error)
            return await _abort(context, refusal)

        return answer

    def _stream(self, handler: Handler, method: str) -> Callable[[Any, Context], AsyncIterator[Any]]:
        behavior: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream
        decode = self._decoder(handler, method)
        if handler.request_streaming:
            decode = partial(_each_decoded, decode)

        async def answer(raw: Any, context: Context) -> AsyncIterator[Any]:
            try:
                async for message in behavior(decode(raw), context):
                    yield message
            except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
                refusal = self._refusal(method, error)
            else:
                return
            await _abort(context, refusal)

        return answer

    def _decoder(self, handler: Handler, method: str) -> Callable[[bytes], Any]:
        decode: Any = handler.request_deserializer
        checks = self._checks
        return partial(
            _decoded, decode, checks.repeated_fields.get(method), checks.large_requests.get(method)
        )

    def _refusal(self, method: str, error: Exception) -> Refusal:
        refusal = refusal_of(error, self._errors)
        if refusal is None:
            _log.error("unexpected error", method=method, exc_info=error)
            refusal = Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")
        _forget_frames(error)
        return refusal


async def _abort(context: Context, refusal: Refusal) -> None:
    """Answer a call with a refusal, and return: grpc.aio ends the call when its handler has returned.

    grpc.aio keeps the AbortError with the call. Its traceback would keep the frames of the handlers, and
    these keep the call and its message: a cycle that stays in memory until the garbage collector finds it.
    """
    try:
        await context.abort(refusal.code, refusal.message, refusal.trailing_metadata(REQUEST_ID.get()))
    except grpc.aio.AbortError as aborted:
        _forget_frames(aborted)


def _forget_frames(error: BaseException | None) -> None:
    """Let the frames that an error has left, and the message that they hold, be freed at once."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _decoded(
    decode: Callable[[bytes], Any], repeated_field: RepeatedField | None, admit: Admit | None, raw: bytes
) -> Any:
    check_size(raw, admit)
    try:
        if repeated_field is not None:
            repeated_field.check(raw)
        return decode(raw)
    except Refusal:
        raise
    except Exception as error:  # protobuf's runtimes raise classes of their own
        message = "the bytes are not a message of this method"
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE", message) from error


async def _each_decoded(decode: Callable[[bytes], Any], requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for raw in requests:
        yield decode(raw)


def _refusing(refusal: Refusal) -> Handler:
    """Return a streaming handler: it answers before a message has come, whatever the kind of the call."""

    async def refuse(_messages: AsyncIterator[bytes], context: Context) -> None:
        await _abort(context, refusal)

    return grpc.stream_stream_rpc_method_handler(refuse)
