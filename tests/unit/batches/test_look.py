"""What is kept of a look at a batch, given the look before."""

from dataclasses import replace

from batches.look import LastLook, Look, PendingJob, QueuePending, last_look
from tests.support.samples import BATCH, NOON, at

STILL_PENDING = Look("batch", "still_pending", "4 jobs are still pending", QueuePending(4, lists_jobs=True))
AWAY = Look("batch", "queue_unavailable", "the job-status service does not answer")


def looked(look: Look, seconds: float, before: LastLook | None = None, last_result: float = 0) -> LastLook:
    """Return what is kept of a look this many seconds after noon, the last result being at `last_result`."""
    batch = replace(BATCH, read_time=at(seconds), last_result_time=at(last_result))
    return last_look(look, batch, before)


def test_the_first_look_is_unchanged_since_itself() -> None:
    first = looked(STILL_PENDING, 300)
    assert (first.look_time, first.pending_time, first.unchanged_since) == (at(300), at(300), at(300))
    assert (first.reason_kind, first.pending_jobs, first.lists_jobs) == ("still_pending", 4, True)


def test_the_same_number_of_pending_jobs_is_unchanged_since_the_first_look() -> None:
    second = looked(STILL_PENDING, 600, looked(STILL_PENDING, 300))
    assert (second.look_time, second.unchanged_since) == (at(600), at(300))


def test_another_number_of_pending_jobs_is_a_change() -> None:
    other = replace(STILL_PENDING, pending=QueuePending(3, lists_jobs=True, first_jobs=(PendingJob("a"),)))
    second = looked(other, 600, looked(STILL_PENDING, 300))
    assert (second.pending_jobs, second.unchanged_since) == (3, at(600))


def test_a_result_between_two_looks_is_a_change() -> None:
    second = looked(STILL_PENDING, 600, looked(STILL_PENDING, 300), last_result=400)
    assert second.unchanged_since == at(600)


def test_a_look_at_which_the_queue_does_not_answer_keeps_what_it_told_before() -> None:
    second = looked(AWAY, 600, looked(STILL_PENDING, 300))
    assert (second.reason_kind, second.look_time) == ("queue_unavailable", at(600))
    assert (second.pending_jobs, second.pending_time, second.unchanged_since) == (4, at(300), at(300))
    third = looked(STILL_PENDING, 900, second)
    assert third.unchanged_since == at(300)


def test_what_was_told_before_a_result_is_not_kept() -> None:
    second = looked(AWAY, 600, looked(STILL_PENDING, 300), last_result=400)
    assert (second.pending_jobs, second.pending_time, second.unchanged_since) == (None, None, None)


def test_a_look_is_never_before_the_last_result() -> None:
    """The clock of another server may be behind after a fail-over."""
    look = looked(STILL_PENDING, 0, last_result=5)
    assert look.look_time == at(5)
    assert look.is_newer_than(replace(BATCH, read_time=NOON, last_result_time=at(5)), NOON)


def test_a_look_from_before_the_clock_was_set_back_says_nothing() -> None:
    """Nobody knows whether a result was recorded since; the next look begins anew."""
    before = looked(STILL_PENDING, 3_600)
    now = replace(BATCH, read_time=at(60), last_result_time=at(50))
    assert not before.is_newer_than(now, at(60))
    assert last_look(STILL_PENDING, now, before).unchanged_since == at(60)


def test_a_look_after_the_clock_was_set_back_is_newer_than_a_result_before_that() -> None:
    batch = replace(BATCH, read_time=at(60), last_result_time=at(3_600))
    look = last_look(STILL_PENDING, batch, None)
    assert look.look_time == at(60)
    assert look.is_newer_than(batch, at(60))
