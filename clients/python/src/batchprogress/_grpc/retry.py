"""Decides which failed calls are tried again, and when.

Servers restart, connections break, databases fail over. Each of these ends a call without saying whether the
result was recorded. Every request of the contract may therefore be sent again: a report with the same job_id
and attempt is counted once.

Only our server can refuse a call for good: it says so in an ErrorInfo of its domain. Whatever comes without
one was answered, or cut, on the road to the server, and may change.
"""

import random
from dataclasses import dataclass, field

import grpc

from batchprogress._grpc import road
from batchprogress._grpc.error_text import message_of
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
"""Codes with which our server ends a call without an answer, or asks for a later try."""
MISCONFIGURED_CODES = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Codes caused by a wrong token or an old server: not by the reports in the call."""
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


class TokenFailed(Exception):
    """The caller's token function has raised. The next try asks it again: tokens are often fetched, too."""


class StreamSilent(Exception):
    """A stream has brought neither a response nor a heartbeat for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no heartbeat for {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    """The reason of the ErrorInfo of our server; empty if it was not our server that answered."""
    retry_seconds: float = 0.0
    """The delay that is asked for before the next try; 0 without one."""
    violations: tuple[FieldViolation, ...] = ()
    """The request's fields that break a rule of the contract."""
    error: BaseException | None = field(default=None, compare=False)
    """What was raised."""

    def __str__(self) -> str:
        """Return code and cause."""
        return f"{self.code.name}: {self.cause}".removesuffix(f": {self.code.name}")

    @property
    def is_from_server(self) -> bool:
        """Whether our server has answered."""
        return bool(self.reason)

    @property
    def refuses_reports(self) -> bool:
        """Whether our server refuses these reports for good, whatever becomes of tokens and databases."""
        return self.is_from_server and self.code not in RETRIED_CODES | MISCONFIGURED_CODES

    @property
    def is_refusal(self) -> bool:
        """Whether the same call gets the same answer again, at least until a person has changed something."""
        if self.is_from_server:
            return self.code not in RETRIED_CODES
        return self.was_called and road.is_refusal(self.code, self.message)

    @property
    def lacks_status(self) -> bool:
        """Whether the answer ended without a gRPC status: it was a page with HTTP 200, or was cut.

        Of a stream it may also have been a page with another HTTP status, which a unary call would show.
        """
        return not self.is_from_server and road.lacks_status(self.code, self.message)

    @property
    def http_status(self) -> int:
        """The HTTP status that a proxy answered; 0 if none did, or with a page and 200."""
        return 0 if self.is_from_server else road.http_status_of(self.message)

    @property
    def was_called(self) -> bool:
        """Whether gRPC has made the call; not if the token function of the caller has raised, for example."""
        return self.error is None or isinstance(self.error, grpc.RpcError)

    @property
    def may_pass_in_parts(self) -> bool:
        """Whether a call with fewer reports may pass, or with others."""
        if self.is_from_server:
            return self.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        return self.was_called and road.was_sent(self.code, self.message)

    @property
    def depends_on_content(self) -> bool:
        """Whether a proxy probably dislikes one of the reports, and not who sends them, or how many."""
        return not self.is_from_server and road.depends_on_content(self.code, self.message)

    @property
    def cause(self) -> str:
        """What happened, for people: in a few words, without gRPC's own."""
        if self.http_status:
            return f"HTTP {self.http_status} from a proxy"
        if self.lacks_status:
            return "the answer ended without a gRPC status"
        cause = self.message.rpartition("last error: ")[2]
        return cause.removeprefix("UNKNOWN: ").removeprefix("UNAVAILABLE: ") or self.code.name

    def delay_seconds(self, tries: int) -> float:
        """Return the delay before the next try, after `tries` earlier failures."""
        if self.is_refusal or not self.was_called:
            return _random.uniform(BACKOFF_SECONDS_MAX / 2, BACKOFF_SECONDS_MAX)
        return self.retry_seconds + backoff_seconds(tries)


def failure_of(error: BaseException) -> Failure:
    """Return what the exception of a call says; an exception that is not gRPC's has the code UNKNOWN."""
    if isinstance(error, StreamSilent):
        return Failure(grpc.StatusCode.UNAVAILABLE, str(error))
    if isinstance(error, TokenFailed):
        return Failure(grpc.StatusCode.UNKNOWN, str(error), error=error)
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Failure(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {message_of(error)}", error=error)
    details = read_details(error.trailing_metadata())
    return Failure(
        error.code(), error.details() or "", details.reason, details.retry_seconds, details.violations, error
    )


def without_message() -> Failure:
    """Return the failure of a call that was answered OK, but with no message: grpcio returns None for it."""
    return Failure(grpc.StatusCode.UNKNOWN, "the answer has no message")


def backoff_seconds(tries: int) -> float:
    """Return a random delay below a bound that doubles with each try ("full jitter")."""
    bound = BACKOFF_SECONDS_MIN * 2 ** min(tries, BACKOFF_DOUBLINGS_MAX)
    return _random.uniform(0, min(BACKOFF_SECONDS_MAX, bound))
