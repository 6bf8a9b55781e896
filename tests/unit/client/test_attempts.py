"""When a call is tried again."""

import grpc
import pytest

from batchprogress._calls import requests
from batchprogress._calls.attempts import LAST_TRY_SECONDS_MIN, Attempts, Patience
from batchprogress._grpc.retry import TRY_SECONDS_MAX, Failure, failure_of
from batchprogress.errors import BatchNotFound, ProxyAnswered, ResourceExhausted, Unavailable
from rpc.answers.refusal import Refusal

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
CALL = requests.get("b")


def failed(code: grpc.StatusCode, reason: str = "X", retry_seconds: float | None = None) -> Failure:
    """Return the failure of a call that the server answered with a status."""
    refusal = Refusal(code, reason, "a sentence", retry_delay_seconds=retry_seconds)
    trailing = grpc.aio.Metadata(*refusal.trailing_metadata())
    return failure_of(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "a sentence"))


def attempts(seconds_max: float = 10.0, *, retry: bool = True) -> Attempts:
    """Return the attempts of a call that began at 100 s."""
    return Attempts("progress:50051", CALL, Patience(seconds_max, retry), 100.0)


def test_a_try_has_the_time_that_is_left_within_bounds() -> None:
    """A try takes at most TRY_SECONDS_MAX, and has at least a moment."""
    long, short = attempts(60.0), attempts(5.0)
    assert long.seconds_left(100.0) == TRY_SECONDS_MAX
    assert short.seconds_left(102.0) == 3.0
    assert short.seconds_left(110.0) == LAST_TRY_SECONDS_MIN


def test_the_last_try_begins_before_the_time_is_over() -> None:
    """A delay is cut so that one more try fits; after it the call has failed."""
    tries = attempts(10.0)
    for _ in range(20):
        assert tries.delay_after(failed(UNAVAILABLE), 109.5) < 0.5 - LAST_TRY_SECONDS_MIN + 1e-6
    with pytest.raises(Unavailable, match="progress:50051 within 10 s") as raised:
        tries.delay_after(failed(UNAVAILABLE), 109.95)
    assert (raised.value.tries, raised.value.seconds) == (21, 10.0)


def test_a_delay_that_the_server_asks_for_is_kept() -> None:
    """If it does not fit into the time, the call fails at once and says for how long to wait."""
    assert attempts().delay_after(failed(UNAVAILABLE, retry_seconds=3.0), 100.0) >= 3.0
    with pytest.raises(ResourceExhausted) as raised:
        attempts().delay_after(
            failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_RATE", retry_seconds=30.0), 101.0
        )
    error = raised.value
    assert (error.reason, error.retry_seconds, error.seconds) == ("CALLER_RATE", 30.0, 1.0)


def test_a_refusal_and_a_call_without_retry_fail_at_once() -> None:
    """A refusal would be the same again."""
    with pytest.raises(BatchNotFound):
        attempts().delay_after(failed(grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND"), 100.0)
    with pytest.raises(Unavailable):
        attempts(retry=False).delay_after(failed(UNAVAILABLE), 100.0)


def test_a_page_is_believed_when_it_comes_twice() -> None:
    """An answer that was cut at its very end looks the same."""
    page = Failure(grpc.StatusCode.UNKNOWN, "No status received")
    tries = attempts()
    tries.delay_after(page, 100.0)
    tries.delay_after(failed(UNAVAILABLE), 100.0)
    tries.delay_after(page, 100.0)
    with pytest.raises(ProxyAnswered):
        tries.delay_after(page, 100.0)
