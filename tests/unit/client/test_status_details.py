"""Reading what the server says beside a status code."""

import grpc
import pytest

from batchprogress._grpc.status_details import RETRY_SECONDS_MAX, STATUS_DETAILS_KEY, read_details
from rpc.answers.refusal import Refusal, Violation


@pytest.mark.parametrize("seconds", [0.0, 0.5, 30.25])
def test_the_server_s_own_details_are_understood(seconds: float) -> None:
    """Reason and delay are those that the server's own code has put in, among other details."""
    refusal = Refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "BACKLOG_FULL",
        "later",
        violations=[Violation("field", "is wrong")],
        retry_delay_seconds=seconds,
    )
    details = read_details((("other", "x"), *refusal.trailing_metadata()))
    assert (details.reason, details.retry_seconds) == ("BACKLOG_FULL", seconds)


def test_a_server_is_not_believed_to_want_silence_for_hours() -> None:
    """A delay has an upper bound."""
    refusal = Refusal(grpc.StatusCode.UNAVAILABLE, "X", "", retry_delay_seconds=86_400.0)
    assert read_details(refusal.trailing_metadata()).retry_seconds == RETRY_SECONDS_MAX


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"\x1a\x05abc", "text"])
def test_details_that_are_none_are_no_details(raw: bytes | str) -> None:
    """Bytes of a proxy or a broken server say nothing, and break nothing."""
    details = read_details(((STATUS_DETAILS_KEY, raw),))
    assert (details.reason, details.retry_seconds) == ("", 0.0)
    assert read_details(None) == details
