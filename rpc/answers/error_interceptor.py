"""The interceptor around every call: it turns every error into a documented answer.

grpc.aio sends the text of an uncaught exception to the client, even a database URL with its
password, and answers UNKNOWN to bytes that are not a message. So this interceptor receives
the bytes, decodes them itself, and turns each exception into a Refusal.

It also knows the caller of a call and reports each call that is over, since one interceptor costs half of
what three do. The handler of a method is looked up and wrapped once, not once per call.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import structlog

from process.logs import REQUEST_ID
from rpc.answers.error_table import ErrorTable, refusal_of
from rpc.answers.handlers import Context, Continuation, Handler, code_of, write_all
from rpc.answers.refusal import Refusal
from rpc.answers.repeated_fields import RepeatedField
from rpc.answers.request_checks import Admit, RequestChecks, check_size

Enter = Callable[[Context], None]
"""Sets the caller of a call whose message has come, before it is answered; may raise Refusal."""
ObserveCall = Callable[[str, grpc.StatusCode, float], None]
"""Gets the method, the status code and the seconds of each call that is over."""

_log = structlog.get_logger()


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class CallHooks:
    """What a server does with every call besides answering it, in the task of the call."""

    arrived: Callable[[grpc.HandlerCallDetails], None] = _nothing
    """Called first of all; must not raise."""
    authorize: Callable[[grpc.HandlerCallDetails, bool], None] = _nothing
    """Called before the message is read, with whether the method exists; raises Refusal."""
    enter_of: Callable[[str], Enter | None] = _nothing
    """Returns what is called for each call of a method (/package.Service/Method) after its message."""
    observe: ObserveCall = _nothing
    """Called last of all; must not raise."""


NO_HOOKS = CallHooks()


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Answers every exception of a handler, and every request that cannot be decoded, with a Refusal.

    Args:
        errors: the answers to the errors of the service's domain; any other error is answered INTERNAL,
            without its text.
        checks: what is checked before a request is decoded.
        hooks: what else is done with every call.

    """

    def __init__(self, errors: ErrorTable, checks: RequestChecks, hooks: CallHooks = NO_HOOKS) -> None:
        self._errors = errors
        self._checks = checks
        self._hooks = hooks
        self._handlers: dict[str, Handler] = {}
        """The wrapped handlers by method; those of unknown methods are not kept."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap the handler of a method; a forbidden call is answered before its message is read."""
        method = handler_call_details.method
        hooks = self._hooks
        hooks.arrived(handler_call_details)
        handler = self._handlers.get(method)
        try:
            if handler is None:
                handler = self._wrapped(method, await continuation(handler_call_details))
            hooks.authorize(handler_call_details, handler is not None)
        except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
            return self._refusing(method, self._refusal(method, error))
        if handler is None:
            unknown = Refusal(grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD", "no such method")
            return self._refusing(method, unknown)
        return handler

    def _wrapped(self, method: str, handler: Handler | None) -> Handler | None:
        if handler is not None:
            handler = self._handlers[method] = self._guard(handler, method)
        return handler

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
        enter, observe = self._hooks.enter_of(method) or _nothing, self._hooks.observe

        async def answer(raw: bytes, context: Context) -> Any:
            began, code = time.perf_counter(), grpc.StatusCode.CANCELLED  # unless it is answered or refused
            try:
                try:
                    request = decode(raw)
                    enter(context)
                    response = await behavior(request, context)
                except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
                    refusal = self._refusal(method, error)
                else:
                    code = code_of(context)
                    return response
                await _abort(context, refusal)
                code = refusal.code
                return None
            finally:
                observe(method, code, time.perf_counter() - began)

        return answer

    def _stream(self, handler: Handler, method: str) -> Callable[[Any, Context], Awaitable[None]]:
        behavior: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream
        decode = self._decoder(handler, method)
        enter, observe = self._hooks.enter_of(method) or _nothing, self._hooks.observe
        if handler.request_streaming:
            decode, enter = partial(_each_decoded, decode), _nothing

        async def answer(raw: Any, context: Context) -> None:
            began, code = time.perf_counter(), grpc.StatusCode.CANCELLED  # unless it is answered or refused
            try:
                try:
                    request = decode(raw)
                    enter(context)
                    await write_all(behavior(request, context), context)
                except grpc.aio.InternalError:  # a message could not be sent: gRPC ends the call
                    raise
                except Exception as error:  # noqa: BLE001  # nothing undocumented may leave the server
                    refusal = self._refusal(method, error)
                else:
                    code = code_of(context)
                    return
                await _abort(context, refusal)
                code = refusal.code
            finally:
                observe(method, code, time.perf_counter() - began)

        return answer

    def _refusing(self, method: str, refusal: Refusal) -> Handler:
        """Return a streaming handler: it answers before a message has come, whatever the kind of the call."""
        observe = self._hooks.observe

        async def refuse(_messages: AsyncIterator[bytes], context: Context) -> None:
            began, code = time.perf_counter(), grpc.StatusCode.CANCELLED
            try:
                await _abort(context, refusal)
                code = refusal.code
            finally:
                observe(method, code, time.perf_counter() - began)

        return grpc.stream_stream_rpc_method_handler(refuse)

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
