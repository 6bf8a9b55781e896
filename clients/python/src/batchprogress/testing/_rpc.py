"""Makes RPCs of methods whose refusals become errors with the details of the contract."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import grpc

from batchprogress.testing._refusals import Refused

Request = TypeVar("Request")
Response = TypeVar("Response")


def answers(method: Callable[[Any, Request], Response]) -> Callable[[Any, Request, Any], Response]:
    """Make an RPC of a method, whose refusals become errors with the details of the contract."""

    @functools.wraps(method)
    def call(servicer: object, request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return method(servicer, request)
        except Refused as refusal:
            abort(context, refusal)

    return call


def abort(context: grpc.ServicerContext, refusal: Refused) -> NoReturn:
    context.set_trailing_metadata(refusal.trailing_metadata())
    context.abort(refusal.code, str(refusal))
