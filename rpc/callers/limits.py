"""What one caller may use at a time, so that none of them takes a server for itself."""

import time
from dataclasses import dataclass

import grpc

from rpc.answers.refusal import Refusal

IN_FLIGHT_RETRY_SECONDS = 0.5
"""Results are recorded within a second; half of it leaves room without idling."""
WATCHES_RETRY_SECONDS = 30.0
"""Watches end when batches do: in minutes."""
ROUNDING_SECONDS = 1e-6
"""The last call of a second must not be refused for what floating point makes of its sum."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller may use; None is no limit."""

    calls_per_second_max: float | None = None
    results_in_flight_max: int | None = None
    """Results that it sent and that are not answered, whether or not it still waits."""
    watches_max: int | None = None


UNLIMITED = Limits()


class Usage:
    """What a caller uses right now, and when it called."""

    def __init__(self) -> None:
        """Begin with nothing in use."""
        self._results = 0
        self._watches = 0
        self._full_at = 0.0
        """When, by the monotonic clock, all of a second's calls may be made at once again."""

    def take_call(self, limits: Limits) -> None:
        """Count a call; raises Refusal if a second's calls were made already."""
        if limits.calls_per_second_max is None:
            return
        now, period = time.monotonic(), 1 / limits.calls_per_second_max
        full_at = max(self._full_at, now) + period
        wait_seconds = full_at - now - max(1.0, period)
        if wait_seconds > ROUNDING_SECONDS:
            raise _exhausted("CALLER_RATE", "this caller makes more calls than it may", wait_seconds)
        self._full_at = full_at

    def take_results(self, number: int, limits: Limits) -> None:
        """Count results under way; raises Refusal beyond the limit, except for the only call under way."""
        most = limits.results_in_flight_max
        if most is not None and self._results and self._results + number > most:
            message = "this caller has as many unrecorded results as it may"
            raise _exhausted("CALLER_RESULTS", message, IN_FLIGHT_RETRY_SECONDS)
        self._results += number

    def give_results(self, number: int) -> None:
        """Take results off again that were answered."""
        self._results -= number

    def take_watch(self, limits: Limits) -> None:
        """Count a watch; raises Refusal beyond the limit."""
        if limits.watches_max is not None and self._watches >= limits.watches_max:
            message = "this caller holds as many watches as it may"
            raise _exhausted("CALLER_WATCHES", message, WATCHES_RETRY_SECONDS)
        self._watches += 1

    def give_watch(self) -> None:
        """Take a watch off again that ended."""
        self._watches -= 1


def _exhausted(reason: str, message: str, retry_seconds: float) -> Refusal:
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, message, retry_delay_seconds=retry_seconds)
