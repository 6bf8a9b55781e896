"""What becomes of reports that something between the worker and the server does not let pass."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import grpc
import pytest

from batchprogress._grpc.retry import BACKOFF_SECONDS_MAX, Failure
from batchprogress._reporting.buffer import Buffer
from batchprogress._reporting.call_pace import (
    DEFERRED_SECONDS_MAX,
    DEFERRED_SECONDS_MIN,
    FILL_SECONDS,
    Pause,
)
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress._reporting.once_log import OnceLog
from batchprogress._reporting.outbox import Outbox
from tests.unit.client.reports import INTERNAL, jobs_of, recorded, report

CODE = grpc.StatusCode
FORBIDDEN = Failure(CODE.PERMISSION_DENIED, "Received http2 header with status: 403")
TOO_LARGE = Failure(CODE.UNKNOWN, "Received http2 header with status: 413")
CUT = Failure(CODE.UNAVAILABLE, "Stream removed (Socket closed)")
REFUSED = Failure(CODE.UNAVAILABLE, "connections to all backends failing; last error: Connection refused")


class Road:
    """An outbox with a clock, and what lies between it and its server.

    Args:
        jobs: the jobs whose reports wait.
        failure_of: how a call with these jobs fails; None if it reaches the server.

    """

    def __init__(self, jobs: Iterable[str], failure_of: Callable[[list[str]], Failure | None]) -> None:
        self.now = 1_000.0
        self.calls: list[list[str]] = []
        self.outbox = Outbox(Buffer(), OnceLog("test:1"), lambda: self.now, CancelledBatches())
        self.failure_of = failure_of
        for job in jobs:
            self.outbox.enqueue(report(job))

    def call(self) -> Pause:
        """Make the next call, and wait as long as the outbox asks for."""
        call = jobs_of(self.outbox.start_call())
        self.calls.append(call)
        failure = self.failure_of(call)
        pause = (
            self.outbox.on_response(recorded(len(call)))
            if failure is None
            else self.outbox.on_failure(failure)
        )
        self.now += pause.seconds
        return pause

    def call_until(self, recorded_jobs: int, calls_max: int) -> None:
        """Make calls, as soon as there is something to send, until so many jobs are recorded."""
        for _ in range(calls_max):
            if self.outbox.counts.recorded >= recorded_jobs:
                return
            if not self.outbox.has_waiting:
                self.now += self.outbox.seconds_to_deferred or 0.0
            self.call()
        raise AssertionError(f"{self.outbox.counts} after {calls_max} calls")


def never(*jobs: str, failure: Failure = FORBIDDEN) -> Callable[[list[str]], Failure | None]:
    """Let no call pass that has one of these jobs."""
    return lambda call: failure if set(call) & set(jobs) else None


NAMES = [f"j{number}" for number in range(100)]


@pytest.mark.parametrize(
    "failure",
    [
        FORBIDDEN,
        CUT,
        Failure(CODE.UNKNOWN, "Stream removed (Data frame with END_STREAM flag received)"),
        Failure(CODE.INTERNAL, "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))"),
        Failure(CODE.DEADLINE_EXCEEDED, "Deadline Exceeded"),
        Failure(CODE.INVALID_ARGUMENT, "not our words"),
    ],
)
def test_a_report_that_never_passes_holds_up_no_other(failure: Failure) -> None:
    """The others are recorded, and it is kept: only our server refuses a report."""
    road = Road(NAMES, never("j0", "j50", failure=failure))
    road.call_until(98, calls_max=40)
    counts = road.outbox.counts
    assert (counts.pending, counts.dropped) == (2, {})


def test_a_web_application_firewall_costs_the_others_less_than_a_second() -> None:
    """The pauses of a halving are short where a proxy dislikes what is in the call."""
    road = Road([f"j{number}" for number in range(10_000)], never("j0"))
    began = road.now
    road.call_until(9_999, calls_max=40)
    assert road.now - began < 1.0


def test_a_road_that_is_closed_is_not_tried_often() -> None:
    """Where everything is refused, short pauses end when the first report is alone."""
    road = Road(NAMES, lambda _call: FORBIDDEN)
    began = road.now
    for _ in range(7):  # 100, 50, 25, 12, 6, 3, 1
        road.call()
    assert road.now - began < 1.0
    assert all(road.call().seconds >= BACKOFF_SECONDS_MAX / 2 for _ in range(20))


def test_a_report_that_never_passes_is_tried_seldom_and_alone() -> None:
    """No hot loop: each failure in a row lengthens the delay, and new reports do not wait for it."""
    road = Road(NAMES, never("j7"))
    road.call_until(99, calls_max=40)
    tried: list[float] = []
    for number in range(2_000):
        road.outbox.enqueue(report(f"new{number}"))
        road.now += 0.5
        road.call()
        if "j7" in road.calls[-1]:
            assert road.calls[-1] == ["j7"]
            tried.append(road.now)
            assert road.call().seconds == FILL_SECONDS  # the new report was sent at once
    delays = [later - earlier for earlier, later in pairwise(tried)]
    assert min(delays) >= DEFERRED_SECONDS_MIN / 2
    assert DEFERRED_SECONDS_MAX / 2 <= max(delays) <= DEFERRED_SECONDS_MAX + 1.0
    assert road.outbox.counts.recorded == 99 + 2_000


def test_deferred_reports_are_delivered_once_the_road_is_well() -> None:
    """However many were deferred while nothing passed, few calls carry them."""
    road = Road(NAMES, lambda _call: FORBIDDEN)
    for _ in range(80):
        road.call()
    assert road.outbox.counts.pending == 100
    road.failure_of = never()
    began = road.now
    road.call_until(100, calls_max=25)
    assert road.now - began < 1.0


def test_a_flush_tries_deferred_reports_at_once() -> None:
    """Who waits for answers waits for no delay, and the flush covers them."""
    road = Road(NAMES, never("j7"))
    road.call_until(99, calls_max=40)
    while road.outbox.has_waiting:
        road.call()
    assert not road.outbox.is_answered(road.outbox.last_number)
    road.failure_of = never()
    road.outbox.reset_backoff()
    road.call()
    assert road.outbox.is_answered(road.outbox.last_number)


def test_a_lone_report_is_not_deferred() -> None:
    """Nothing waits behind it: it is tried as often as any report."""
    road = Road(["a"], lambda _call: FORBIDDEN)
    for _ in range(50):
        assert BACKOFF_SECONDS_MAX / 2 <= road.call().seconds <= BACKOFF_SECONDS_MAX
    assert road.outbox.seconds_to_deferred is None


def test_a_server_that_is_away_gets_its_reports_in_order() -> None:
    """A call that reached nobody is made again as it was."""
    road = Road(["a", "b", "c"], lambda _call: REFUSED)
    for _ in range(20):
        road.call()
    assert road.calls == [["a", "b", "c"]] * 20


@pytest.mark.parametrize(
    "failure",
    [TOO_LARGE, Failure(CODE.RESOURCE_EXHAUSTED, "Sent message larger than max (9 vs. 8)")],
)
def test_a_call_that_is_too_large_is_halved(failure: Failure) -> None:
    """Until it passes; the size is found again after each growth."""
    road = Road(NAMES, lambda call: failure if len(call) > 10 else None)
    road.call_until(100, calls_max=60)
    assert road.outbox.counts.dropped == {}


def test_a_deferred_report_that_the_server_refuses_is_dropped() -> None:
    """It alone, with the reason of the server, wherever it waits."""
    road = Road(NAMES, lambda _call: FORBIDDEN)
    for _ in range(20):
        road.call()
    road.failure_of = never("j1", failure=INTERNAL)
    road.call_until(99, calls_max=60)
    assert road.outbox.counts.dropped == {"INTERNAL": 1}
    assert road.outbox.counts.pending == 0


def test_a_deferred_report_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The line says what does not let it pass, and that nothing is lost."""
    road = Road(NAMES, never("j7"))
    road.call_until(99, calls_max=40)
    for _ in range(5):
        road.now += road.outbox.seconds_to_deferred or 0.0
        road.call()
    road.outbox.log.write()
    (line,) = [line for line in caplog.messages if "overtake" in line]
    assert "HTTP 403 from a proxy" in line
    assert "tried again" in line


def test_a_proxy_that_numbers_its_answers_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise each try would be a line, and would be remembered."""
    road = Road(NAMES, lambda _call: None)
    for number in range(5):
        road.outbox.log.report_deferred(replace(CUT, message=f"{CUT.message}, request {number}"))
    road.outbox.log.write()
    assert len(caplog.messages) == 1
