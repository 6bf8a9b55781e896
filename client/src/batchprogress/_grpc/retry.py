"""Decides which failed calls are tried again, and when.

Servers restart, connections break, databases fail over. Each of these ends a call without saying whether the
result was recorded. Every request of the contract may therefore be sent again: a report with the same job_id
and attempt is counted once.
"""

import random
from dataclasses import dataclass

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


def backoff_seconds(tries: int) -> float:
    """Return a random delay below a bound that doubles with each try ("full jitter")."""
    bound = BACKOFF_SECONDS_MIN * 2 ** min(tries, BACKOFF_DOUBLINGS_MAX)
    return _random.uniform(0, min(BACKOFF_SECONDS_MAX, bound))
