"""What one caller may use at a time."""

import pytest

from rpc.answers.refusal import Refusal
from rpc.callers.limits import Limits, Usage


def test_a_rate_allows_a_seconds_calls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten a second: ten at once, then one each tenth of a second; who waits as told is let in."""
    now = 100.0
    monkeypatch.setattr("rpc.callers.limits.time.monotonic", lambda: now)
    limits, used = Limits(calls_per_second_max=10), Usage()
    for _ in range(10):
        used.count_call(limits)
    with pytest.raises(Refusal) as caught:
        used.count_call(limits)
    wait = caught.value.retry_delay_seconds
    assert wait == pytest.approx(0.1)
    now += 0.1 + 1e-9
    used.count_call(limits)
    with pytest.raises(Refusal):
        used.count_call(limits)
    now += 60
    for _ in range(10):
        used.count_call(limits)


def test_less_than_a_call_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call in ten seconds is one at once, then none for ten seconds."""
    now = 100.0
    monkeypatch.setattr("rpc.callers.limits.time.monotonic", lambda: now)
    limits, used = Limits(calls_per_second_max=0.1), Usage()
    used.count_call(limits)
    with pytest.raises(Refusal) as caught:
        used.count_call(limits)
    assert caught.value.retry_delay_seconds == pytest.approx(10)


def test_results_beyond_the_limit_wait_for_others() -> None:
    """A call beyond the limit is refused while another one is under way, and taken when it is alone."""
    limits, used = Limits(results_in_flight_max=10), Usage()
    used.acquire_results(4, limits)
    used.acquire_results(6, limits)
    with pytest.raises(Refusal):
        used.acquire_results(1, limits)
    used.release_results(4)
    used.release_results(6)
    used.acquire_results(1_000, limits)
    used.release_results(1_000)
    used.acquire_results(10, limits)


def test_no_limit() -> None:
    """Without limits nothing is refused; what is used is still counted, for a limit that comes later."""
    used = Usage()
    for _ in range(1_000):
        used.count_call(Limits())
        used.acquire_results(10_000, Limits())
        used.acquire_watch(Limits())
    with pytest.raises(Refusal):
        used.acquire_watch(Limits(watches_max=1_000))
    with pytest.raises(Refusal):
        used.acquire_results(1, Limits(results_in_flight_max=1_000))
