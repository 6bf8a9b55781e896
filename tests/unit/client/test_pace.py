"""What a client shows of a batch while no message arrives."""

import io
from dataclasses import replace

import pytest

from batches import pace as server
from batchprogress import pace
from batchprogress._calls.convert import to_batch
from batchprogress.bar import Line, Lines, Screen
from batchprogress.v1 import progress_pb2 as pb
from tests.support.samples import BATCH, at

MOVING = to_batch(
    pb.Batch(
        batch_id="b",
        state=pb.BATCH_STATE_PROCESSING,
        sealed=True,
        total_jobs=1037,
        pending_jobs=7,
        percent_complete=99,
        jobs_per_second=20.0,
    )
)


class Clock:
    """A clock that the test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02, 0.5, 20.0, 10_000.0])
@pytest.mark.parametrize("silent_seconds", [0, 1, 29, 59, 60, 61, 249, 250, 3_599, 3_600, 90_000])
def test_the_client_follows_the_rule_of_the_server(rate: float, silent_seconds: int) -> None:
    """The rate falls and the batch stalls at the same time on both sides, in the same words."""
    batch = replace(
        BATCH, results_per_second=rate, first_result_time=at(0), last_result_time=at(0), sealed=True
    )
    now = at(silent_seconds)
    received = pb.Batch(state=pb.BATCH_STATE_PROCESSING, jobs_per_second=server.jobs_per_second(batch, at(0)))
    aged = pace.after_silence(to_batch(received), silent_seconds)
    assert aged.jobs_per_second == pytest.approx(server.jobs_per_second(batch, now))
    words = server.stall_reason(batch, now, 300.0)
    assert aged.stall_reason == words.partition(";")[0]


def test_a_batch_that_has_ended_or_stalled_stays_as_it_was_received() -> None:
    """Only the server knows for how long a stalled batch has had no result."""
    ended = to_batch(pb.Batch(state=pb.BATCH_STATE_COMPLETED))
    assert pace.after_silence(ended, 9_999) == ended
    stalled = to_batch(
        pb.Batch(state=pb.BATCH_STATE_PROCESSING, stall_reason="no result for 14 min; 7 pending")
    )
    assert pace.after_silence(stalled, 60) == stalled


def _shown(screen: Screen, clock: Clock) -> None:
    screen.show(MOVING)
    for clock.seconds in range(1, 200):
        screen.pass_time()


def test_a_bar_shows_a_falling_rate_and_then_the_stall() -> None:
    """The line changes with the time alone."""
    out, clock = io.StringIO(), Clock()
    _shown(Line(out, clock), clock)
    lines = out.getvalue().split("\r")
    assert lines[1].rstrip("\x1b[K").endswith("1,030/1,037, 20/s, 0:00 left")
    assert "7.4/s" in lines[31]
    assert "/s" not in lines[-1]
    assert lines[-1].endswith(", no result for 3 min\x1b[K")


def test_a_log_has_one_line_for_each_stall() -> None:
    """A stall after another result is a new one."""
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
