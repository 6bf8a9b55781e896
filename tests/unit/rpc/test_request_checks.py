"""Only the methods that need large requests take them, and only while they have room."""

import pytest

from rpc.answers.refusal import Refusal
from rpc.answers.request_checks import (
    MESSAGE_BYTES_MAX,
    REQUEST_BYTES,
    SMALL_MESSAGE_BYTES_MAX,
    check_size,
)

SMALL, LARGE, TOO_LARGE = (
    bytes(size) for size in (SMALL_MESSAGE_BYTES_MAX, SMALL_MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX + 1)
)


def test_a_method_without_large_requests_takes_64_kib() -> None:
    check_size(SMALL, None)
    with pytest.raises(Refusal, match="larger than 65536 bytes"):
        check_size(LARGE, None)


def test_a_large_request_is_admitted_by_its_size() -> None:
    admitted: list[int] = []
    for raw in (SMALL, LARGE):
        check_size(raw, admitted.append)
    assert admitted == [len(LARGE)]
    assert REQUEST_BYTES.get() == len(LARGE)


def test_no_method_takes_more_than_4_mib() -> None:
    with pytest.raises(Refusal, match="larger than 4194304 bytes"):
        check_size(TOO_LARGE, lambda _: None)
