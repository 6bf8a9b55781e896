"""Reading the error details that a server sends with a status code."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from batchprogress._grpc.status_details import RETRY_SECONDS_MAX, STATUS_DETAILS_KEY, read_details
from batchprogress.errors import FieldViolation
from rpc.answers.refusal import Refusal, Violation


@pytest.mark.parametrize("seconds", [0.0, 0.5, 30.25])
def test_reason_and_delay_are_read_as_the_server_writes_them(seconds: float) -> None:
    """Other details and other metadata are ignored."""
    refusal = Refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "BACKLOG_FULL",
        "later",
        violations=[Violation("field", "is wrong")],
        retry_delay_seconds=seconds,
    )
    details = read_details((("other", "x"), *refusal.trailing_metadata()))
    assert (details.reason, details.retry_seconds) == ("BACKLOG_FULL", seconds)
    assert details.violations == (FieldViolation("field", "is wrong"),)


@pytest.mark.parametrize(("asked", "taken"), [(86_400.0, RETRY_SECONDS_MAX), (-1.0, 0.0)])
def test_the_delay_of_a_server_is_bounded(asked: float, taken: float) -> None:
    """No server silences a worker for hours."""
    refusal = Refusal(grpc.StatusCode.UNAVAILABLE, "X", "", retry_delay_seconds=asked)
    assert read_details(refusal.trailing_metadata()).retry_seconds == taken


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"\x1a\x05abc", b"\x18\x01", b"\x1a\x01\xff", "text"])
def test_malformed_details_are_ignored(raw: bytes | str) -> None:
    """A proxy or a broken server may send any bytes."""
    details = read_details(((STATUS_DETAILS_KEY, raw),))
    assert (details.reason, details.retry_seconds) == ("", 0.0)
    assert read_details(None) == details


def test_the_reason_of_another_domain_is_not_our_servers() -> None:
    """A gateway on the road may send an ErrorInfo, too."""
    info = error_details_pb2.ErrorInfo(reason="RATE_LIMIT_EXCEEDED", domain="googleapis.com")
    status = status_pb2.Status()
    status.details.add().Pack(info)
    assert read_details(((STATUS_DETAILS_KEY, status.SerializeToString()),)).reason == ""
