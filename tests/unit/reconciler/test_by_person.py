"""What people are told about batches that stay as they are, and how they end them."""

from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.look import LastLook, QueuePending
from batches.repair import repair
from batches.result import JobOutcome
from reconciler.decision.by_person import end_by_person, with_advice
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import Reason, ReasonKind, Reasons
from tests.support.samples import BATCH, FAILED, NOON, SKIPPED, SUCCEEDED, at
from tests.unit.reconciler.decisions import EIGHT_REPORTED, because

HOUR = 3_600.0
QUIET_FOR_TWO_HOURS = replace(BATCH, read_time=at(2 * HOUR))
END_BY_HAND = because(ReasonKind.END_BY_HAND)
PENDING = NotRepaired.because(NotRepairedReason.STILL_PENDING, ReasonKind.STILL_PENDING, 2)
CANCELLED = NotRepaired.because(NotRepairedReason.STILL_PENDING, ReasonKind.CANCELLED_STILL_PENDING, 2)


def looked(pending: int, unchanged_since: float, look_time: float = 1.9 * HOUR) -> LastLook:
    """Return a look at QUIET_FOR_TWO_HOURS that found this many pending jobs since a time."""
    return LastLook(
        look_time=at(look_time),
        reason_kind="still_pending",
        reason="",
        pending_jobs=pending,
        pending_time=at(look_time),
        unchanged_since=at(unchanged_since),
    )


ADVICE = {
    "no look yet": (None, (because(ReasonKind.NO_RESULT, 7_200), END_BY_HAND)),
    "the same number for an hour": (
        looked(2, 1 * HOUR),
        (because(ReasonKind.UNCHANGED, 3_600), END_BY_HAND),
    ),
    "the same number for less than an hour": (looked(2, 1 * HOUR + 1), ()),
    "another number before": (looked(3, 0), ()),
    "a look before the last result": (
        looked(2, 0, look_time=-1),
        (because(ReasonKind.NO_RESULT, 7_200), END_BY_HAND),
    ),
}


@pytest.mark.parametrize(("look", "advice"), ADVICE.values(), ids=ADVICE)
def test_people_are_told_since_when_nothing_has_changed(look: LastLook | None, advice: Reasons) -> None:
    told = with_advice(PENDING, QUIET_FOR_TWO_HOURS, QueuePending(2, lists_jobs=True), look, HOUR)
    assert (told.advice, told.needs_person) == (advice, bool(advice))
    assert told.told == PENDING.details + advice


def test_people_are_told_that_counts_do_not_tell_which_jobs_were_removed() -> None:
    told = with_advice(PENDING, QUIET_FOR_TWO_HOURS, QueuePending(2, lists_jobs=False), None, HOUR)
    assert because(ReasonKind.ONLY_COUNTS) in told.advice


def test_a_contradiction_names_the_way_out_at_once() -> None:
    left = NotRepaired.because(NotRepairedReason.CONTRADICTION, ReasonKind.QUEUE_ERROR, "it lies")
    told = with_advice(left, BATCH, None, None, HOUR)
    assert told.told == (because(ReasonKind.QUEUE_ERROR, "it lies"), END_BY_HAND)


PERSONS = {
    NotRepairedReason.STILL_PENDING: True,
    NotRepairedReason.MAY_ADD_JOBS: True,
    NotRepairedReason.NO_JOBS: True,
    NotRepairedReason.UNKNOWN_TO_QUEUE: True,
    NotRepairedReason.TIMED_OUT: True,
    NotRepairedReason.QUEUE_FAULT: True,
    NotRepairedReason.CONTRADICTION: True,
    NotRepairedReason.UNEXPECTED: True,
    NotRepairedReason.ENDED: False,
    NotRepairedReason.CHANGED_MEANWHILE: False,
    NotRepairedReason.QUEUE_UNAVAILABLE: False,
    NotRepairedReason.ACCESS_DENIED: False,
    NotRepairedReason.DATABASE_UNAVAILABLE: False,
    NotRepairedReason.NO_SUCH_BATCH: False,
    NotRepairedReason.CUT_SHORT: False,
}


@pytest.mark.parametrize("reason", NotRepairedReason)
def test_a_quiet_batch_needs_a_person_unless_its_reason_ends_by_itself(reason: NotRepairedReason) -> None:
    told = with_advice(NotRepaired(reason, ()), QUIET_FOR_TWO_HOURS, None, None, HOUR)
    assert told.needs_person == PERSONS[reason]


@pytest.mark.parametrize(
    ("outcome", "tally"),
    [(SUCCEEDED, Tally(9, 1, 0)), (FAILED, Tally(7, 3, 0)), (SKIPPED, Tally(7, 1, 2))],
)
def test_a_person_ends_a_batch_with_the_outcome_of_the_jobs_without_a_result(
    outcome: JobOutcome, tally: Tally
) -> None:
    planned = end_by_person(EIGHT_REPORTED, outcome, PENDING)
    after = repair(EIGHT_REPORTED, {}, planned.plan).batches["batch"]
    assert (after.state, after.tally, after.unattributed.ended) == (BatchState.COMPLETED, tally, 2)
    assert planned.reasons == (because(ReasonKind.ENDED_BY_PERSON, outcome, 2), *PENDING.details)


def test_a_batch_that_its_queue_cancelled_ends_as_cancelled() -> None:
    plan = end_by_person(EIGHT_REPORTED, SKIPPED, CANCELLED).plan
    assert repair(EIGHT_REPORTED, {}, plan).batches["batch"].state is BatchState.CANCELLED


def test_an_unsealed_batch_without_jobs_ends_too() -> None:
    empty = replace(BATCH, sealed=False, announced_jobs=0)
    after = repair(empty, {}, end_by_person(empty, FAILED, None).plan).batches["batch"]
    assert (after.state, after.total_jobs, after.complete_time) == (BatchState.COMPLETED, 0, NOON)


def test_the_reason_is_that_of_a_person_first() -> None:
    reason: Reason = end_by_person(EIGHT_REPORTED, FAILED, None).reasons[0]
    assert reason.kind is ReasonKind.ENDED_BY_PERSON
