"""Calls that are retried until a server answers, through any number of faults."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

import grpc

from batchprogress._grpc.retry import RETRIED_CODES, TRY_SECONDS_MAX, failure_of

Request_contra = TypeVar("Request_contra", contravariant=True)
Response_co = TypeVar("Response_co", covariant=True)


class Method(Protocol[Request_contra, Response_co]):
    """A unary method of an asynchronous stub."""

    def __call__(
        self, request: Request_contra, /, *, timeout: float | None = None, wait_for_ready: bool | None = None
    ) -> Awaitable[Response_co]:
        """Call it; `timeout` is in seconds."""


async def call_until_answered(
    method: Method[Request_contra, Response_co],
    request: Request_contra,
    *,
    try_seconds_max: float = TRY_SECONDS_MAX,
) -> Response_co:
    """Call a method until it answers. Cancel the task to give up.

    Args:
        method: a unary method of an asynchronous stub.
        request: the request, which is sent with each try.
        try_seconds_max: the deadline of each try, in seconds.

    Raises:
        grpc.aio.AioRpcError: the server answered with an error that another try does not change.

    """
    tries = 0
    while True:
        try:
            return await method(request, timeout=try_seconds_max, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRIED_CODES:
                raise
            failure = failure_of(error)
        await asyncio.sleep(failure.delay_seconds(tries))
        tries += 1
