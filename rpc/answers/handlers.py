"""Puts a context manager around what answers a call, whatever kind of call it is."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only

Around = Callable[[Context], AbstractContextManager[None]]


def wrapped(handler: Handler, around: Around) -> Handler:
    """Return a handler that answers as the one given does, inside of a context."""
    make, behavior = _kind_of(handler)
    answer = _stream if handler.response_streaming else _unary
    same: Handler = make(
        answer(behavior, around),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return same


def code_of(context: Context) -> grpc.StatusCode:
    """Return the code of a call that was aborted, which grpc.aio may keep as a number."""
    return _CODES.get(context.code(), grpc.StatusCode.UNKNOWN)


_CODES: dict[object, grpc.StatusCode] = {
    key: code for code in grpc.StatusCode for key in (code, code.value[0])
}


def _unary(behavior: Any, around: Around) -> Any:
    async def answer(request: Any, context: Context) -> Any:
        with around(context):
            return await behavior(request, context)

    return answer


def _stream(behavior: Any, around: Around) -> Any:
    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        with around(context):
            messages = behavior(request, context)
            if inspect.isawaitable(messages):
                await messages  # a refusal yields nothing
                return
            async for message in messages:
                yield message

    return answer


def _kind_of(handler: Handler) -> tuple[Any, Any]:
    """Return what makes a handler of this kind, and what it calls."""
    if not handler.response_streaming:
        return grpc.unary_unary_rpc_method_handler, handler.unary_unary
    if not handler.request_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.stream_stream_rpc_method_handler, handler.stream_stream
