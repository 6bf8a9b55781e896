"""Why a batch has stalled, and what the reconciler found."""

from dataclasses import replace

import pytest

from batches.batch import Batch, BatchState, Tally
from batches.look import LastLook
from batches.stall import Findings, ReconcilerRules, duration_text, stall_reason
from tests.support.samples import BATCH, at

RULES = ReconcilerRules(stuck_after_seconds=300, period_seconds=300)
UNSEALED_REASON = "all its jobs have ended, but it is not sealed: seal it if no more are added"
MINUTE, HOUR = 60, 3_600
STILL_PENDING = LastLook(
    look_time=at(2 * HOUR - 3 * MINUTE),
    reason_kind="still_pending",
    reason="4 jobs are still pending in Celery",
    pending_jobs=4,
    pending_time=at(2 * HOUR - 3 * MINUTE),
    unchanged_since=at(10 * MINUTE),
    lists_jobs=True,
)
"""A look at BATCH, which has had no result since noon."""


def found(findings: Findings, seconds: int = 2 * HOUR, batch: Batch = BATCH) -> str:
    """Return what a stall reason says beyond the counts."""
    return stall_reason(batch, at(seconds), RULES, findings).partition(" jobs pending; ")[2]


def test_a_stall_reason_tells_what_the_reconciler_found() -> None:
    reason = stall_reason(BATCH, at(2 * HOUR), RULES, Findings(STILL_PENDING, STILL_PENDING.look_time))
    assert reason == (
        "no result for 2 h; 10 of 10 jobs pending;"
        " looked at 3 min ago: 4 jobs are still pending in Celery, unchanged for 1 h"
    )


def test_since_when_nothing_has_changed_is_told_before_the_rest_of_the_reason() -> None:
    advised = replace(STILL_PENDING, reason=f"{STILL_PENDING.reason}; end the batch with --end-pending-as")
    assert found(Findings(advised, advised.look_time)) == (
        "looked at 3 min ago: 4 jobs are still pending in Celery, unchanged for 1 h;"
        " end the batch with --end-pending-as"
    )


def test_the_first_look_is_not_called_unchanged() -> None:
    first = replace(STILL_PENDING, unchanged_since=STILL_PENDING.look_time)
    assert found(Findings(first, first.look_time)) == (
        "looked at 3 min ago: 4 jobs are still pending in Celery"
    )


def test_a_look_at_which_the_queue_did_not_answer_is_not_called_unchanged() -> None:
    away = replace(
        STILL_PENDING,
        reason_kind="queue_unavailable",
        reason="the job-status service does not answer",
        pending_time=at(30 * MINUTE),
    )
    assert found(Findings(away, away.look_time)) == (
        "looked at 3 min ago: the job-status service does not answer"
    )


def test_a_look_from_before_the_last_result_is_not_told() -> None:
    moved = replace(BATCH, last_result_time=at(2 * HOUR))
    text = found(Findings(STILL_PENDING, at(2 * HOUR + 7 * MINUTE)), 2 * HOUR + 8 * MINUTE, moved)
    assert text == "not looked at yet; the reconciler last ran 1 min ago"


def test_before_it_is_stuck_a_batch_says_when_it_is_looked_at() -> None:
    assert found(Findings(None, at(0)), 2 * MINUTE) == "the reconciler looks at it after 5 min"


def test_a_reconciler_that_has_never_run_is_told() -> None:
    assert found(Findings(None, None)) == "no reconciler has run"
    assert found(Findings(None, None), 2 * MINUTE) == "no reconciler has run"


def test_a_reconciler_that_has_not_run_for_two_periods_is_told() -> None:
    assert (
        found(Findings(None, at(0)), 10 * MINUTE) == "not looked at yet; the reconciler last ran 10 min ago"
    )
    assert found(Findings(None, at(0)), 10 * MINUTE + 1) == (
        "no reconciler has run since 2026-01-01 12:00 UTC"
    )


def test_an_old_look_is_told_with_the_reconciler_that_no_longer_runs() -> None:
    text = found(Findings(STILL_PENDING, STILL_PENDING.look_time), 5 * HOUR)
    assert text == (
        "looked at 3 h ago: 4 jobs are still pending in Celery, unchanged for 4 h;"
        " no reconciler has run since 2026-01-01 13:57 UTC"
    )


def test_a_look_by_hand_shows_that_a_reconciler_has_run() -> None:
    """A pass over one batch is not kept as a pass."""
    assert "no reconciler" not in found(Findings(STILL_PENDING, None))


def test_a_batch_that_moves_has_no_stall_reason_whatever_was_found() -> None:
    assert stall_reason(BATCH, at(59), RULES, Findings(STILL_PENDING, None)) == ""


@pytest.mark.parametrize(
    ("batch", "quiet_seconds", "reason"),
    [
        (BATCH, 59, ""),
        (
            BATCH,
            60,
            "no result for 1 min; 10 of 10 jobs pending",
        ),
        (
            replace(BATCH, tally=Tally(7)),
            299,
            "no result for 4 min; 3 of 10 jobs pending",
        ),
        (
            replace(BATCH, announced_jobs=12_345, tally=Tally(11_000)),
            7_200,
            "no result for 2 h; 1,345 of 12,345 jobs pending",
        ),
        (
            replace(BATCH, sealed=False, tally=Tally(10)),
            90,
            "no result for 1 min; " + UNSEALED_REASON,
        ),
        (
            replace(BATCH, sealed=False),
            300,
            "no result for 5 min; 10 of 10 jobs pending",
        ),
        (
            replace(BATCH, sealed=False, announced_jobs=0),
            300,
            "no result for 5 min; it has no jobs: add some, or seal it if there are none",
        ),
        (replace(BATCH, state=BatchState.COMPLETED), 9_999, ""),
        (replace(BATCH, state=BatchState.CANCELLED), 9_999, ""),
    ],
)
def test_a_stalled_batch_says_why(batch: Batch, quiet_seconds: int, reason: str) -> None:
    """A batch that moves or has ended has no stall reason."""
    last = replace(batch, last_result_time=at(50))
    assert stall_reason(last, at(50 + quiet_seconds), RULES, None) == reason
    assert stall_reason(batch, at(quiet_seconds), RULES, None) == reason


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (119, "1 min"),
        (14 * 60, "14 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (3 * 3_600 + 1_800, "3 h"),
        (47 * 3_600, "47 h"),
        (48 * 3_600, "2 d"),
        (10.5 * 86_400, "10 d"),
    ],
)
def test_durations_are_rounded_down_to_their_largest_unit(seconds: float, text: str) -> None:
    """A duration is shown as one whole number."""
    assert duration_text(seconds) == text


def test_a_silence_since_the_clock_was_set_back_has_no_length() -> None:
    """A look from before that is not told, and the time of a pass from before tells nothing."""
    batch = replace(BATCH, last_result_time=at(4 * HOUR))
    before = replace(STILL_PENDING, look_time=at(4 * HOUR + 1))
    assert stall_reason(batch, at(3 * HOUR), RULES, Findings(before, at(4 * HOUR + 1))) == (
        "no result since the database's clock was set back; 10 of 10 jobs pending; not looked at since"
    )


def test_a_look_after_the_clock_was_set_back_is_told() -> None:
    batch = replace(BATCH, last_result_time=at(4 * HOUR))
    look = replace(STILL_PENDING, unchanged_since=STILL_PENDING.look_time)
    assert found(Findings(look, look.look_time), batch=batch) == (
        "looked at 3 min ago: 4 jobs are still pending in Celery"
    )
