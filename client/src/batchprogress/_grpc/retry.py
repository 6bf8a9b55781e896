"""Calling until an answer comes: every request of the contract may be sent again.

The one rule for a worker: send a report again, with the same job_id and attempt, until it
is answered. Servers are restarted, connections are cut, databases fail over; each of these
ends a call without telling whether the result was recorded. Sent again it is counted once.
"""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc

from batchprogress._grpc.status_details import read_details

RETRIED_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        # A server that is stopped cancels calls under way (grpc/grpc#41785).
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""What ends a call without an answer, or with "later". Any other code is an answer."""
UNFIT_CODES = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNKNOWN,
    }
)
"""What a wrong token, a wrong address or a proxy answers: about the way, not about what was sent on it."""
TRY_SECONDS_MAX = 10.0
"""The deadline of one try, new for each: a server answers in milliseconds, or after a fail-over."""
DELAY_SECONDS_MIN = 0.05
"""The first delay's upper bound: as long as a commit takes on a busy server."""
DELAY_SECONDS_MAX = 5.0
"""The last delays' upper bound: a server that is back is found within seconds, by a thousand workers that
spread their tries over as long."""

Request_contra = TypeVar("Request_contra", contravariant=True)
Response_co = TypeVar("Response_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call brought no answer that counts."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    """The ErrorInfo's reason; empty if there is none."""
    retry_seconds: float = 0.0
    """No try before so long, by the server's wish; 0 if it has none."""

    @property
    def is_retried(self) -> bool:
        """Whether the same call may have an answer later."""
        return self.code in RETRIED_CODES or self.code in UNFIT_CODES

    def delay_seconds(self, tries: int) -> float:
        """Return how long to wait after so many tries; the server's wish comes on top of the jitter."""
        if self.code in UNFIT_CODES:
            return random.uniform(DELAY_SECONDS_MAX / 2, DELAY_SECONDS_MAX)  # noqa: S311  # as below
        return self.retry_seconds + delay_seconds(tries)


def failure_of(error: BaseException) -> Failure:
    """Return what a call's exception says; one that is not gRPC's counts as no answer."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Failure(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
    details = read_details(error.trailing_metadata())
    return Failure(error.code(), error.details() or "", details.reason, details.retry_seconds)


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
    """Call a method again and again until it answers; cancel the task to give up.

    Raises:
        grpc.aio.AioRpcError: the answer is an error that trying again does not change.

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


def delay_seconds(tries: int) -> float:
    """Return how long to wait after so many tries: a random part of a bound that doubles ("full jitter")."""
    bound = min(DELAY_SECONDS_MAX, DELAY_SECONDS_MIN * 2 ** min(tries, 16))
    return random.uniform(0, bound)  # noqa: S311  # jitter needs no secrecy
