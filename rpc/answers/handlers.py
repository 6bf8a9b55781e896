"""Wraps the handlers of calls, of any kind of call."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]
"""Returns the handler of a call, as the interceptors further inside and the service have it."""
Around = Callable[[Context], AbstractContextManager[None]]
"""Returns the context manager that a call is answered in."""
Wrap = Callable[[Handler, str], Handler]
"""Wraps a handler, given the full name of its method."""


class WrappedHandlers:
    """Wraps the handler of each method once, not once per call.

    Args:
        wrap: wraps a handler; it gets the handler and the full name of the method.

    """

    def __init__(self, wrap: Wrap) -> None:
        self._wrap = wrap
        self._known: dict[str, tuple[Handler | None, Handler]] = {}

    def of(self, handler: Handler, method: str) -> Handler:
        """Return the wrapped handler of a method."""
        known, result = self._known.get(method, (None, handler))
        if known is not handler:
            result = self._wrap(handler, method)
            if not handler.request_streaming:  # a refused call has a new, streaming handler each time
                self._known[method] = handler, result
        return result


class AroundCalls(grpc.aio.ServerInterceptor):
    """Answers every call within a context manager.

    Args:
        around: makes the context manager of a call; it gets the full name of the method and the context.

    """

    def __init__(self, around: Callable[[str, Context], AbstractContextManager[None]]) -> None:
        self._handlers = WrappedHandlers(lambda handler, method: wrapped(handler, partial(around, method)))

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Wrap the handler of a method."""
        handler = await continuation(handler_call_details)
        return None if handler is None else self._handlers.of(handler, handler_call_details.method)


def wrapped(handler: Handler, around: Around) -> Handler:
    """Put a context manager around the answers of a handler.

    Args:
        handler: the handler.
        around: makes the context manager of a call.

    Returns:
        A handler of the same kind.

    """
    make, behavior = kind_of(handler)
    answer = _stream if handler.response_streaming else _unary
    same: Handler = make(
        answer(behavior, around),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return same


def code_of(context: Context) -> grpc.StatusCode:
    """Return the status code of a call whose handler has returned; grpc.aio may keep it as a number."""
    return _CODES.get(context.code(), grpc.StatusCode.UNKNOWN)


_CODES: dict[object, grpc.StatusCode] = {
    None: grpc.StatusCode.OK,
    **{key: code for code in grpc.StatusCode for key in (code, code.value[0])},
}


def _unary(behavior: Any, around: Around) -> Any:
    async def answer(request: Any, context: Context) -> Any:
        with around(context):
            return await behavior(request, context)

    return answer


def _stream(behavior: Any, around: Around) -> Any:
    async def answer(request: Any, context: Context) -> None:
        with around(context):
            await write_all(behavior(request, context), context)

    return answer


async def write_all(answering: AsyncIterator[Any] | Awaitable[None], context: Context) -> None:
    """Write the messages of a streaming handler, unless it is a coroutine, which writes them itself.

    A handler that wraps another one is a coroutine: as a generator, it would keep 600 bytes for each open
    watch and pass on each message. A generator is closed here, however the call ends: otherwise a cancelled
    call would count as open until the garbage collector finds its generator.

    Args:
        answering: what the handler returned.
        context: the call.

    """
    if isinstance(answering, Awaitable):
        await answering
        return
    try:
        async for message in answering:
            await context.write(message)
    finally:
        if isinstance(answering, AsyncGenerator):
            await answering.aclose()


def kind_of(handler: Handler) -> tuple[Any, Any]:
    """Return the function that makes a handler of this kind, and the behavior of this one."""
    if not handler.response_streaming:
        return grpc.unary_unary_rpc_method_handler, handler.unary_unary
    if not handler.request_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.stream_stream_rpc_method_handler, handler.stream_stream
