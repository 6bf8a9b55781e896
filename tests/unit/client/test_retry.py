"""Which failures are tried again, and after which delay."""

from dataclasses import replace

import grpc
import pytest

from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import (
    BACKOFF_SECONDS_MAX,
    BACKOFF_SECONDS_MIN,
    Failure,
    TokenFailed,
    backoff_seconds,
    failure_of,
)
from batchprogress.tls import TlsFiles
from tests.faults.calling import call_until_answered

SAMPLES = 200


@pytest.mark.parametrize("tries", [0, 3, 7, 16, 10_000])
def test_backoff_is_random_below_a_bound_that_doubles(tries: int) -> None:
    """After many failed tries, the bound stays at its maximum."""
    bound = BACKOFF_SECONDS_MAX if tries > 6 else BACKOFF_SECONDS_MIN * 2**tries
    delays = [backoff_seconds(tries) for _ in range(SAMPLES)]
    assert max(delays) <= bound
    assert min(delays) < bound / 2 < max(delays)


FORBIDDEN = Failure(grpc.StatusCode.PERMISSION_DENIED, "Received http2 header with status: 403")
EXPIRED = Failure(grpc.StatusCode.INTERNAL, "Received http2 header with status: 400")
CUT = Failure(grpc.StatusCode.UNAVAILABLE, "Stream removed (Socket closed)")
RESET = Failure(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2")


@pytest.mark.parametrize(
    ("failure", "helps"),
    [(CUT, True), (EXPIRED, True), (FORBIDDEN, True), (RESET, False), (replace(CUT, reason="X"), False)],
)
def test_newer_certificates_help_where_they_may_be_missing(failure: Failure, helps: bool) -> None:  # noqa: FBT001
    """Nginx answers 400 to an expired certificate, on a connection that stays."""
    assert Connection("progress:50051", TlsFiles()).should_reconnect(failure) is helps
    assert not Connection("progress:50051").should_reconnect(failure)


@pytest.mark.parametrize("tries", [0, 100])
def test_a_wrong_token_or_address_is_not_tried_again_at_once(tries: int) -> None:
    """Only a person can correct these, so even the first delay is long."""
    failure = Failure(grpc.StatusCode.UNAUTHENTICATED, "")
    delays = [failure.delay_seconds(tries) for _ in range(SAMPLES)]
    assert min(delays) >= BACKOFF_SECONDS_MAX / 2
    assert max(delays) <= BACKOFF_SECONDS_MAX


def test_the_delay_that_the_server_asks_for_comes_before_the_jitter() -> None:
    """No worker comes back early."""
    failure = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "", retry_seconds=7.0)
    assert 7.0 <= failure.delay_seconds(0) <= 7.0 + BACKOFF_SECONDS_MIN


async def test_each_try_has_a_deadline_of_its_own() -> None:
    """A call that no server answers must end for the next one to be made."""
    tries: list[dict[str, object]] = []

    async def method(request: str, /, **options: object) -> str:
        tries.append(options)
        if len(tries) < 3:
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.DEADLINE_EXCEEDED, grpc.aio.Metadata(), grpc.aio.Metadata()
            )
        return f"answer to {request}"

    assert await call_until_answered(method, "request", try_seconds_max=0.5) == "answer to request"
    assert tries == [{"timeout": 0.5, "wait_for_ready": True}] * 3


class Unprintable(Exception):
    """Cannot say what happened."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError


def test_an_exception_that_cannot_be_printed_is_a_failure_like_any_other() -> None:
    """It would end the thread that sends, and with it every later report."""

    def token() -> str:
        raise Unprintable

    with pytest.raises(TokenFailed) as raised:
        Connection("test:1", None, token).metadata()
    for error in (raised.value, Unprintable()):
        assert "Unprintable" in failure_of(error).cause
