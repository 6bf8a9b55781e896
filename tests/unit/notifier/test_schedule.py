"""When a delivery is tried again."""

from datetime import UTC, datetime

import pytest

from services.notifier.schedule import RETRY_SECONDS, retry_after_seconds, retry_seconds

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
DAY_SECONDS = 86_400


def middle() -> float:
    return 0.5


def test_retries_span_three_days() -> None:
    waits = [retry_seconds(attempts, 0, middle) for attempts in range(1, 10)]
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert sum(RETRY_SECONDS) > 3 * DAY_SECONDS
    assert retry_seconds(10, 0, middle) is None


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 4.0), (1.0, 6.0)])
def test_retries_are_spread(drawn: float, seconds: float) -> None:
    assert retry_seconds(1, 0, lambda: drawn) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("asked", "seconds"), [(60, 60), (1, 5), (10**9, DAY_SECONDS)], ids=["longer", "shorter", "too long"]
)
def test_retry_after_is_obeyed_within_a_day(asked: float, seconds: float) -> None:
    assert retry_seconds(1, asked, middle) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        (" 7 ", 7),
        ("Mon, 30 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("9" * 400, 999_999_999),
        ("Mon, 30 Nov 99999999999999999999 12:01:00 GMT", 0),
        ("Mon, 30 Nov 2026 12:01:00 +99999999999999999999", 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds
