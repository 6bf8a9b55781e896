"""Puts reasons into words. Pure."""

from collections.abc import Callable, Mapping

from batches.batch import TOTAL_JOBS_MAX, BatchState
from batches.result import JobOutcome
from batches.stall import duration_text
from reconciler.decision.reasons import ReasonKind, Reasons

THE_QUEUE = "the queue"
_PLURALS = {"": "", "has": "have", "needs": "need", "is": "are", "was": "were"}


def sentence(reasons: Reasons, *, queue_name: str = THE_QUEUE, dry_run: bool = False) -> str:
    """Return the reasons as one sentence; what a dry run would do is in the conditional."""
    words = {**_WORDS, **_CONDITIONAL_WORDS} if dry_run else _WORDS
    text = "; ".join(words[reason.kind](*reason.values) for reason in reasons)
    return text.replace(THE_QUEUE, queue_name)


def number_of(number: int, noun: str, verb: str = "") -> str:
    """Return a number with its noun and verb, for example "1 job is" or "1,037 jobs are"."""
    if number == 1:
        return f"1 {noun} {verb}".rstrip()
    nouns = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {nouns} {_PLURALS[verb]}".rstrip()


def _missing_results(missing: int, total: int, taken_from: str) -> str:
    were = "was" if missing == 1 else "were"
    return f"{missing:,} of {number_of(total, 'result')} {were} missing; {taken_from}"


def _surplus(outcome: int, counted: int, reported: int) -> str:
    jobs = number_of(counted, f"{JobOutcome(outcome).name.lower()} job")
    return f"the queue counts {jobs} instead of the {reported:,} reported"


def _cancelled(never_ran: int) -> str:
    if not never_ran:
        return "cancelled in the queue"
    return f"cancelled in the queue, {number_of(never_ran, 'job')} without a result never ran"


def _counted_as(outcome: int, jobs: int, counts: str, count: str) -> str:
    if jobs == 0:
        return "every job has a result"
    verb = counts if jobs == 1 else count
    return f"{number_of(jobs, 'job')} without a result {verb} as {JobOutcome(outcome).name.lower()}"


def _counts(succeeded: int, failed: int, skipped: int, pending: int) -> str:
    return f"{succeeded:,} succeeded, {failed:,} failed, {skipped:,} skipped, {pending:,} pending"


def _counts_and_total(*numbers: int) -> str:
    return f"{_counts(*numbers[:-1])}, {numbers[-1]:,} in total"


_WORDS: Mapping[ReasonKind, Callable[..., str]] = {
    ReasonKind.MISSING_LISTED: lambda missing, total: _missing_results(
        missing, total, "taken from the queue's list"
    ),
    ReasonKind.MISSING_COUNTED: lambda missing, total: _missing_results(
        missing, total, "taken from the queue's counts"
    ),
    ReasonKind.PORTION: "{:,} of them now".format,
    ReasonKind.LATER_ATTEMPTS: lambda jobs: f"{number_of(jobs, 'job', 'has')} a later attempt in the queue",
    ReasonKind.CONFLICTS: lambda results: (
        f"{number_of(results, 'result', 'was')} reported with another outcome than the queue lists, and kept"
    ),
    ReasonKind.SURPLUS: _surplus,
    ReasonKind.OTHER_TOTAL: lambda in_queue, announced: (
        f"the queue has {number_of(in_queue, 'job')} instead of the {announced:,} announced"
    ),
    ReasonKind.NEVER_SEALED: lambda: "the batch was never sealed, but its queue says that it is finished",
    ReasonKind.CANCELLED: _cancelled,
    ReasonKind.ONLY_END_MISSING: lambda: "every job has a result; the batch only had to be completed",
    ReasonKind.RECOUNTED: lambda succeeded, failed, skipped: (
        f"the queue now counts {succeeded:,} succeeded, {failed:,} failed and {skipped:,} skipped jobs;"
        " the results that were taken from its counts follow them"
    ),
    ReasonKind.ENDED_BY_PERSON: lambda outcome, jobs: (
        f"ended by a person; {_counted_as(outcome, jobs, 'counts', 'count')}"
    ),
    ReasonKind.FAILURE_LIMIT: lambda failed: (
        f"{number_of(failed, 'job')} failed, more than the batch's failure limit allows"
    ),
    ReasonKind.STILL_PENDING: lambda jobs: f"{number_of(jobs, 'job', 'is')} still pending in the queue",
    ReasonKind.CANCELLED_STILL_PENDING: lambda jobs: (
        f"cancelled in the queue, but {number_of(jobs, 'job', 'is')} still pending there"
    ),
    ReasonKind.UNREADABLE: lambda jobs, problem: (
        f"{number_of(jobs, 'job')} cannot be read{', for example' if jobs > 1 else ''}: {problem}"
    ),
    ReasonKind.MAY_ADD_JOBS: lambda: "the queue may still add jobs",
    ReasonKind.NO_JOBS: lambda: "the queue has no jobs for this batch",
    ReasonKind.ENDED: lambda state: f"the batch has already ended: {BatchState(state).name}",
    ReasonKind.DELETED: lambda: "the batch was deleted meanwhile",
    ReasonKind.CHANGED_MEANWHILE: lambda: "the batch changed each time it was checked",
    ReasonKind.CUT_SHORT: lambda: "the pass stopped before the batch was finished",
    ReasonKind.DATABASE_UNAVAILABLE: lambda: "the database is unavailable",
    ReasonKind.QUEUE_ERROR: str,
    ReasonKind.UNEXPECTED: "unexpected {}, see the log".format,
    ReasonKind.UNCHANGED: lambda seconds: f"no change for {duration_text(seconds)}",
    ReasonKind.NO_RESULT: lambda seconds: f"no result for {duration_text(seconds)}",
    ReasonKind.ONLY_COUNTS: lambda: "a queue that keeps only counts does not tell which jobs were removed",
    ReasonKind.END_BY_HAND: lambda: "if nothing more will come, end the batch with --end-pending-as",
    ReasonKind.NEGATIVE_COUNT: lambda *numbers: (
        f"the queue reports a negative count: {_counts_and_total(*numbers)}"
    ),
    ReasonKind.WRONG_SUM: lambda *numbers: f"the queue's counts do not add up: {_counts_and_total(*numbers)}",
    ReasonKind.TOO_MANY_JOBS: lambda *numbers: (
        f"the queue counts more than {TOTAL_JOBS_MAX:,} jobs: {_counts_and_total(*numbers)}"
    ),
    ReasonKind.LISTED_TWICE: lambda: "the queue lists a job twice",
    ReasonKind.LIST_DIFFERS: lambda *numbers: (
        f"the queue lists {_counts(*numbers[:4])}, but counts {_counts(*numbers[4:])}"
    ),
    ReasonKind.TOO_MANY_RESULTS: lambda results, total: (
        f"there would be {number_of(results, 'result')} for {number_of(total, 'job')}:"
        " some recorded results belong to no job of the queue"
    ),
    ReasonKind.TOO_FEW_RESULTS: lambda results, total: (
        f"there would be only {number_of(results, 'result')} for {number_of(total, 'job')}"
    ),
}

_CONDITIONAL_WORDS: Mapping[ReasonKind, Callable[..., str]] = {
    ReasonKind.MISSING_LISTED: lambda missing, total: _missing_results(
        missing, total, "would be taken from the queue's list"
    ),
    ReasonKind.MISSING_COUNTED: lambda missing, total: _missing_results(
        missing, total, "would be taken from the queue's counts"
    ),
    ReasonKind.PORTION: "{:,} of them would be taken first".format,
    ReasonKind.CONFLICTS: lambda results: (
        f"{number_of(results, 'result', 'was')} reported with another outcome than the queue lists,"
        " and would be kept"
    ),
    ReasonKind.ONLY_END_MISSING: lambda: "every job has a result; the batch would only have to be completed",
    ReasonKind.RECOUNTED: lambda succeeded, failed, skipped: (
        f"the queue now counts {succeeded:,} succeeded, {failed:,} failed and {skipped:,} skipped jobs;"
        " the results that were taken from its counts would follow them"
    ),
    ReasonKind.ENDED_BY_PERSON: lambda outcome, jobs: (
        f"would be ended by a person; {_counted_as(outcome, jobs, 'would count', 'would count')}"
    ),
}
"""The words for a dry run of those reasons that say what is done; the others say what was found."""
