"""The words of reasons, as they are shown and kept with a repair."""

import pytest

from batches.batch import BatchState
from reconciler.decision.reasons import Reason, ReasonKind
from reconciler.output.wording import number_of, sentence
from tests.support.samples import FAILED
from tests.unit.reconciler.decisions import because

WORDS = {
    because(ReasonKind.MISSING_LISTED, 1, 10): ("1 of 10 results was missing; taken from the queue's list"),
    because(ReasonKind.MISSING_LISTED, 11, 1_037): (
        "11 of 1,037 results were missing; taken from the queue's list"
    ),
    because(ReasonKind.MISSING_COUNTED, 2, 10): (
        "2 of 10 results were missing; taken from the queue's counts"
    ),
    because(ReasonKind.PORTION, 10_000): "10,000 of them now",
    because(ReasonKind.LATER_ATTEMPTS, 1): "1 job has a later attempt in the queue",
    because(ReasonKind.CONFLICTS, 3): (
        "3 results were reported with another outcome than the queue lists, and kept"
    ),
    because(ReasonKind.SURPLUS, FAILED, 2, 3): "the queue counts 2 failed jobs instead of the 3 reported",
    because(ReasonKind.OTHER_TOTAL, 12, 10): "the queue has 12 jobs instead of the 10 announced",
    because(ReasonKind.NEVER_SEALED): "the batch was never sealed, but its queue says that it is finished",
    because(ReasonKind.CANCELLED, 0): "cancelled in the queue",
    because(ReasonKind.CANCELLED, 2): "cancelled in the queue, 2 jobs without a result never ran",
    because(ReasonKind.ONLY_END_MISSING): "every job has a result; the batch only had to be completed",
    because(ReasonKind.RECOUNTED, 1_037, 0, 0): (
        "the queue now counts 1,037 succeeded, 0 failed and 0 skipped jobs;"
        " the results that were taken from its counts follow them"
    ),
    because(ReasonKind.ENDED_BY_PERSON, FAILED, 1): (
        "ended by a person; 1 job without a result counts as failed"
    ),
    because(ReasonKind.ENDED_BY_PERSON, FAILED, 699): (
        "ended by a person; 699 jobs without a result count as failed"
    ),
    because(ReasonKind.ENDED_BY_PERSON, FAILED, 0): "ended by a person; every job has a result",
    because(ReasonKind.FAILURE_LIMIT, 1): "1 job failed, more than the batch's failure limit allows",
    because(ReasonKind.FAILURE_LIMIT, 51): "51 jobs failed, more than the batch's failure limit allows",
    because(ReasonKind.UNCHANGED, 3 * 3_600 + 59): "no change for 3 h",
    because(ReasonKind.NO_RESULT, 90): "no result for 1 min",
    because(ReasonKind.ONLY_COUNTS): ("a queue that keeps only counts does not tell which jobs were removed"),
    because(ReasonKind.END_BY_HAND): ("if nothing more will come, end the batch with --end-pending-as"),
    because(ReasonKind.STILL_PENDING, 1): "1 job is still pending in the queue",
    because(ReasonKind.STILL_PENDING, 2): "2 jobs are still pending in the queue",
    because(ReasonKind.CANCELLED_STILL_PENDING, 1): (
        "cancelled in the queue, but 1 job is still pending there"
    ),
    because(ReasonKind.UNREADABLE, 1, "it is not JSON"): "1 job cannot be read: it is not JSON",
    because(ReasonKind.UNREADABLE, 3, "its result is not JSON"): (
        "3 jobs cannot be read, for example: its result is not JSON"
    ),
    because(ReasonKind.MAY_ADD_JOBS): "the queue may still add jobs",
    because(ReasonKind.NO_JOBS): "the queue has no jobs for this batch",
    because(ReasonKind.ENDED, BatchState.CANCELLED): "the batch has already ended: CANCELLED",
    because(ReasonKind.DELETED): "the batch was deleted meanwhile",
    because(ReasonKind.CHANGED_MEANWHILE): "the batch changed each time it was checked",
    because(ReasonKind.CUT_SHORT): "the pass stopped before the batch was finished",
    because(ReasonKind.DATABASE_UNAVAILABLE): "the database is unavailable",
    because(ReasonKind.QUEUE_ERROR, "it {breaks}"): "it {breaks}",
    because(ReasonKind.UNEXPECTED, "ZeroDivisionError"): "unexpected ZeroDivisionError, see the log",
    because(ReasonKind.NEGATIVE_COUNT, 12, -2, 0, 0, 10): (
        "the queue reports a negative count: 12 succeeded, -2 failed, 0 skipped, 0 pending, 10 in total"
    ),
    because(ReasonKind.WRONG_SUM, 1_030, 1, 0, 0, 1_037): (
        "the queue's counts do not add up: 1,030 succeeded, 1 failed, 0 skipped, 0 pending, 1,037 in total"
    ),
    because(ReasonKind.TOO_MANY_JOBS, 1_000_000_001, 0, 0, 0, 1_000_000_001): (
        "the queue counts more than 1,000,000,000 jobs:"
        " 1,000,000,001 succeeded, 0 failed, 0 skipped, 0 pending, 1,000,000,001 in total"
    ),
    because(ReasonKind.LISTED_TWICE): "the queue lists a job twice",
    because(ReasonKind.LIST_DIFFERS, 7, 2, 0, 0, 8, 2, 0, 0): (
        "the queue lists 7 succeeded, 2 failed, 0 skipped, 0 pending,"
        " but counts 8 succeeded, 2 failed, 0 skipped, 0 pending"
    ),
    because(ReasonKind.TOO_MANY_RESULTS, 11, 10): (
        "there would be 11 results for 10 jobs: some recorded results belong to no job of the queue"
    ),
    because(ReasonKind.TOO_FEW_RESULTS, 9, 10): "there would be only 9 results for 10 jobs",
}


@pytest.mark.parametrize("reason", WORDS, ids=lambda reason: f"{reason.kind.name} {reason.values}")
def test_a_reason_has_its_words(reason: Reason) -> None:
    """They are the same in the report, in JSON and in the database."""
    assert sentence((reason,)) == WORDS[reason]


def test_every_kind_of_reason_has_words() -> None:
    """A kind without words would fail in the middle of a pass."""
    assert {reason.kind for reason in WORDS} == set(ReasonKind)


CONDITIONAL = {
    because(ReasonKind.MISSING_LISTED, 11, 1_037): (
        "11 of 1,037 results were missing; would be taken from the queue's list"
    ),
    because(ReasonKind.MISSING_COUNTED, 2, 10): (
        "2 of 10 results were missing; would be taken from the queue's counts"
    ),
    because(ReasonKind.PORTION, 10_000): "10,000 of them would be taken first",
    because(ReasonKind.CONFLICTS, 3): (
        "3 results were reported with another outcome than the queue lists, and would be kept"
    ),
    because(ReasonKind.ONLY_END_MISSING): (
        "every job has a result; the batch would only have to be completed"
    ),
    because(ReasonKind.RECOUNTED, 1_037, 0, 0): (
        "the queue now counts 1,037 succeeded, 0 failed and 0 skipped jobs;"
        " the results that were taken from its counts would follow them"
    ),
    because(ReasonKind.ENDED_BY_PERSON, FAILED, 1): (
        "would be ended by a person; 1 job without a result would count as failed"
    ),
}


@pytest.mark.parametrize("reason", WORDS | CONDITIONAL, ids=lambda one: f"{one.kind.name} {one.values}")
def test_a_dry_run_says_in_the_conditional_what_it_would_do(reason: Reason) -> None:
    """What it found has the same words as in any other pass."""
    words = sentence((reason,), dry_run=True)
    if reason.kind in {one.kind for one in CONDITIONAL}:
        assert words == CONDITIONAL.get(reason, words) != sentence((reason,))
    else:
        assert words == WORDS[reason]


def test_the_queue_is_called_by_its_name() -> None:
    reasons = (because(ReasonKind.STILL_PENDING, 4), because(ReasonKind.MISSING_LISTED, 1, 10))
    assert sentence(reasons, queue_name="Celery") == (
        "4 jobs are still pending in Celery; 1 of 10 results was missing; taken from Celery's list"
    )


def test_several_reasons_are_one_sentence() -> None:
    """They are joined by semicolons, in order."""
    reasons = (because(ReasonKind.PORTION, 1), because(ReasonKind.MAY_ADD_JOBS))
    assert sentence(reasons) == "1 of them now; the queue may still add jobs"


def test_numbers_agree_with_their_noun_and_verb() -> None:
    """Large numbers have thousands separators."""
    assert number_of(1, "job", "is") == "1 job is"
    assert number_of(1_037, "job", "has") == "1,037 jobs have"
    assert number_of(0, "batch") == "0 batches"
