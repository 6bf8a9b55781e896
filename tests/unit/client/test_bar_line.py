"""What a client shows of a batch while no message arrives."""

import io
from dataclasses import replace

import pytest
from google.protobuf.duration_pb2 import Duration

from batches.stall import duration_text
from batchprogress._calls.convert import to_batch
from batchprogress.bar_line import held, line_of, pace_of, rounded_duration, tail_of
from batchprogress.bar_screens import Line, Lines, Screen
from batchprogress.v1 import progress_pb2 as pb

HOLDS_SECONDS = 12
MOVING = to_batch(
    pb.Batch(
        batch_id="b",
        state=pb.BATCH_STATE_PROCESSING,
        sealed=True,
        total_jobs=1037,
        pending_jobs=7,
        percent_complete=99,
        jobs_per_second=20.0,
        pace_holds_for=Duration(seconds=HOLDS_SECONDS),
    )
)
SILENT = replace(MOVING, jobs_per_second=0.0, pace_holds_for=None)


class Clock:
    """A clock that the test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def test_a_rate_is_shown_for_as_long_as_the_server_said() -> None:
    assert held(MOVING, HOLDS_SECONDS - 0.1) == MOVING
    expired = held(MOVING, HOLDS_SECONDS)
    assert (expired.jobs_per_second, expired.estimated_complete_time) == (0.0, None)


def test_a_rate_of_a_server_of_0_1_is_shown_for_a_minute() -> None:
    """It does not say how long its rate holds."""
    untold = replace(MOVING, pace_holds_for=None)
    assert held(untold, 59) == untold
    assert held(untold, 60).jobs_per_second == 0.0


def test_a_batch_without_a_rate_says_since_when_there_was_no_result() -> None:
    assert pace_of(MOVING, 0) == ["20/s", "0:00 left"]
    assert pace_of(SILENT, 9) == []
    assert pace_of(SILENT, 14) == ["no result for 14 s"]
    stalled = replace(SILENT, stall_reason="no result for 2 h; 7 of 1,037 jobs pending")
    assert pace_of(stalled, 14) == [stalled.stall_reason]


def test_99_percent_without_pending_jobs_are_explained() -> None:
    unsealed = replace(SILENT, sealed=False, total_jobs=5, succeeded_jobs=5, pending_jobs=0)
    assert tail_of(unsealed) == ["not sealed: jobs may be added"]
    assert tail_of(replace(unsealed, stall_reason="no result for 2 h")) == ["no result for 2 h"]


@pytest.mark.parametrize("seconds", [0.0, 45, 59.9, 60, 119, 3_599, 3_600, 47 * 3_600, 48 * 3_600])
def test_durations_have_the_words_of_the_server(seconds: float) -> None:
    assert rounded_duration(seconds) == duration_text(seconds)


def _shown(screen: Screen, clock: Clock) -> None:
    screen.show(MOVING)
    for clock.seconds in range(1, 200):
        screen.pass_time()


def test_a_bar_shows_the_rate_while_it_holds_and_then_the_silence() -> None:
    """The line changes with the time alone, so also while no server answers."""
    out, clock = io.StringIO(), Clock()
    _shown(Line(out, clock), clock)
    lines = [
        line.removesuffix("\x1b[K").rpartition("1,030/1,037, ")[2] for line in out.getvalue().split("\r")
    ]
    assert lines[1:13] == ["20/s, 0:00 left"] * HOLDS_SECONDS
    assert lines[13] == "no result for 12 s"
    assert lines[-1] == "no result for 3 min"


def test_a_log_has_one_line_for_each_stall() -> None:
    """A stall after another result is a new one, and a silence of seconds is none."""
    out, clock = io.StringIO(), Clock()
    screen = Lines(out, clock)
    _shown(screen, clock)
    assert [line.rpartition(", ")[2] for line in out.getvalue().splitlines()] == [
        "0:00 left",
        "no result for 1 min",
    ]
    clock.seconds = 1_000.0
    screen.show(MOVING)
    clock.seconds = 1_100.0
    screen.pass_time()
    assert len(out.getvalue().splitlines()) == 3


@pytest.mark.parametrize(
    ("reason", "limit", "words"),
    [
        (pb.CANCEL_REASON_REQUESTED, {"jobs": 50}, "cancelled"),
        (pb.CANCEL_REASON_UNSPECIFIED, {}, "cancelled"),
        (99, {}, "cancelled"),
        (pb.CANCEL_REASON_QUEUE, {}, "cancelled in the queue"),
        (pb.CANCEL_REASON_FAILURE_LIMIT, {"jobs": 1_000}, "cancelled: more than 1,000 jobs failed"),
        (pb.CANCEL_REASON_FAILURE_LIMIT, {"jobs": 1}, "cancelled: more than 1 job failed"),
        (pb.CANCEL_REASON_FAILURE_LIMIT, {"percent": 5}, "cancelled: more than 5 % of the jobs failed"),
    ],
)
def test_cancelled_batch_says_why(
    reason: pb.CancelReason.ValueType, limit: dict[str, int], words: str
) -> None:
    """A reason that a later server gives is left out."""
    batch = pb.Batch(state=pb.BATCH_STATE_CANCELLED, cancel_reason=reason, failed_jobs=3)
    if limit:
        batch.failure_limit.CopyFrom(pb.FailureLimit(**limit))
    assert line_of(to_batch(batch)).endswith(f", 3 failed, {words}")
