"""A batch in one line."""

import io

import pytest

from batchprogress._calls.convert import to_batch
from batchprogress.bar_line import line_of
from batchprogress.bar_screens import REDRAWN_SECONDS, WAITING_SECONDS_MIN, Line, Lines, Screen
from batchprogress.v1 import progress_pb2 as pb

EMPTY = "  0 % ░░░░░░░░░░░░░░░░░░░░░░░░ 0/2"
PROCESSING, COMPLETED = pb.BATCH_STATE_PROCESSING, pb.BATCH_STATE_COMPLETED


@pytest.mark.parametrize(
    ("message", "ending"),
    [
        (
            pb.Batch(total_jobs=1037, pending_jobs=7, percent_complete=99, state=PROCESSING, sealed=True),
            "1,030/1,037",
        ),
        (
            pb.Batch(
                total_jobs=8000,
                pending_jobs=4000,
                percent_complete=50,
                failed_jobs=12,
                skipped_jobs=1,
                jobs_per_second=1.0,
                state=PROCESSING,
                sealed=True,
            ),
            "4,000/8,000, 12 failed, 1 skipped, 1.0/s, 1:06:40 left",
        ),
        (
            pb.Batch(total_jobs=10, pending_jobs=5, jobs_per_second=12.0, state=PROCESSING),
            "5/10, 12/s",
        ),
        (pb.Batch(percent_complete=100, state=COMPLETED, sealed=True), "0/0, completed"),
    ],
)
def test_a_line_shows_percent_counts_failures_rate_and_end(message: pb.Batch, ending: str) -> None:
    """The time left is shown only when the total is final and jobs end."""
    line = line_of(to_batch(message))
    assert line.startswith(f"{message.percent_complete:3} % ")
    assert line.endswith(ending)


def test_the_bar_is_full_only_at_100_percent() -> None:
    """At 99 percent the bar has a gap."""
    assert "░" in line_of(to_batch(pb.Batch(percent_complete=99, state=PROCESSING)))
    assert "░" not in line_of(to_batch(pb.Batch(percent_complete=100, state=COMPLETED)))


@pytest.mark.parametrize(
    ("screen_type", "drawn"),
    [
        (
            Line,
            [
                "\rwaiting for S\x1b[K",
                f"\r{EMPTY}\x1b[K",
                f"\r{EMPTY}, waiting for S: HTTP 502\x1b[K",
            ],
        ),
        (Lines, ["waiting for S\n", f"{EMPTY}\n", "waiting for S: HTTP 502\n"]),
    ],
)
def test_a_bar_says_what_it_waits_for(screen_type: type[Screen], drawn: list[str]) -> None:
    """A server that answers soon is not mentioned, one that does not is, once in a log."""
    now, out = 100.0, io.StringIO()
    screen = screen_type(out, lambda: now)
    screen.wait_for("waiting for S")
    for seconds in (0.0, 0.9, 0.2):
        now += seconds
        screen.pass_time()
    screen.go_on()
    screen.show(to_batch(pb.Batch(total_jobs=2, pending_jobs=2, state=PROCESSING)))
    screen.wait_for("waiting for S")
    now += 1.0
    screen.wait_for("waiting for S: HTTP 502")
    now += 1.5
    screen.pass_time()
    assert out.getvalue() == "".join(drawn)


def test_people_read_within_two_seconds_that_nobody_answers() -> None:
    """The wait becomes visible with the first redraw after it is long enough."""
    assert WAITING_SECONDS_MIN + REDRAWN_SECONDS <= 2.0
