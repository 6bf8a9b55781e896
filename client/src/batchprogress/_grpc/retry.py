"""Decides which failed calls are tried again, and when.

Servers restart, connections break, databases fail over. Each of these ends a call without saying whether the
result was recorded. Every request of the contract may therefore be sent again: a report with the same job_id
and attempt is counted once.
"""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc

from batchprogress._grpc.status_details import read_details
from batchprogress.errors import FieldViolation

RETRIED_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        # A server that stops cancels the calls in flight (grpc/grpc#41785).
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Codes that end a call without an answer, or ask for a later try. Any other code is an answer."""
MISCONFIGURED_CODES = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNKNOWN,
    }
)
"""Codes caused by a wrong token, a wrong address or a proxy: not by the reports in the call."""
TRY_SECONDS_MAX = 10.0
"""The deadline of each try: a server answers in milliseconds, or after a database failover."""
BACKOFF_SECONDS_MIN = 0.05
"""The upper bound of the first delay: the time of a commit on a busy server."""
BACKOFF_SECONDS_MAX = 5.0
"""The upper bound of every later delay: a thousand workers find a restarted server within seconds, and spread
their tries over as long."""
BACKOFF_DOUBLINGS_MAX = 16
"""More than BACKOFF_SECONDS_MAX needs, and too few to overflow a float."""

_random = random.SystemRandom()
Request_contra = TypeVar("Request_contra", contravariant=True)
Response_co = TypeVar("Response_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    """The reason of the server's ErrorInfo; empty without one."""
    retry_seconds: float = 0.0
    """The delay that the server asks for before the next try; 0 without one."""
    violations: tuple[FieldViolation, ...] = ()
    """The request's fields that break a rule of the contract."""

    @property
    def is_retried(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code in RETRIED_CODES or self.code in MISCONFIGURED_CODES

    def delay_seconds(self, tries: int) -> float:
        """Return the delay before the next try, after `tries` earlier failures."""
        if self.code in MISCONFIGURED_CODES:
            return _random.uniform(BACKOFF_SECONDS_MAX / 2, BACKOFF_SECONDS_MAX)
        return self.retry_seconds + backoff_seconds(tries)


def failure_of(error: BaseException) -> Failure:
    """Return what the exception of a call says; an exception that is not gRPC's has the code UNKNOWN."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Failure(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
    details = read_details(error.trailing_metadata())
    return Failure(
        error.code(), error.details() or "", details.reason, details.retry_seconds, details.violations
    )


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


def backoff_seconds(tries: int) -> float:
    """Return a random delay below a bound that doubles with each try ("full jitter")."""
    bound = BACKOFF_SECONDS_MIN * 2 ** min(tries, BACKOFF_DOUBLINGS_MAX)
    return _random.uniform(0, min(BACKOFF_SECONDS_MAX, bound))
