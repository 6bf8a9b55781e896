"""The limits of one caller."""

import pytest

from rpc.answers.refusal import Refusal
from rpc.callers.limits import Limits, Usage


def test_rate_allows_the_calls_of_a_second_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate of ten allows ten calls at once, then one per tenth of a second, after the requested delay."""
    now = 100.0
    monkeypatch.setattr("rpc.callers.limits.time.monotonic", lambda: now)
    limits, usage = Limits(calls_per_second_max=10), Usage()
    for _ in range(10):
        usage.count_call(limits)
    with pytest.raises(Refusal) as caught:
        usage.count_call(limits)
    wait = caught.value.retry_delay_seconds
    assert wait == pytest.approx(0.1)
    now += 0.1 + 1e-9
    usage.count_call(limits)
    with pytest.raises(Refusal):
        usage.count_call(limits)
    now += 60
    for _ in range(10):
        usage.count_call(limits)
    with pytest.raises(Refusal):
        usage.count_call(limits)


def test_rate_below_one_call_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call per ten seconds: one at once, then none for ten seconds."""
    now = 100.0
    monkeypatch.setattr("rpc.callers.limits.time.monotonic", lambda: now)
    limits, usage = Limits(calls_per_second_max=0.1), Usage()
    usage.count_call(limits)
    with pytest.raises(Refusal) as caught:
        usage.count_call(limits)
    assert caught.value.retry_delay_seconds == pytest.approx(10)


def test_watches_beyond_the_limit_are_refused_until_one_is_closed() -> None:
    limits, usage = Limits(watches_max=2), Usage()
    usage.acquire_watch(limits)
    usage.acquire_watch(limits)
    with pytest.raises(Refusal) as caught:
        usage.acquire_watch(limits)
    assert caught.value.retry_delay_seconds == 30
    usage.release_watch()
    usage.acquire_watch(limits)
    with pytest.raises(Refusal):
        usage.acquire_watch(limits)


def test_usage_is_counted_without_limits() -> None:
    """Nothing is refused, but a limit that is set later finds the right numbers."""
    usage = Usage()
    for _ in range(1_000):
        usage.count_call(Limits())
        usage.acquire_watch(Limits())
    with pytest.raises(Refusal):
        usage.acquire_watch(Limits(watches_max=1_000))
