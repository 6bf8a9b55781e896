"""Why a batch is repaired or not, as data; output/wording.py puts it into words. Pure."""

import enum
from dataclasses import dataclass


class ReasonKind(enum.Enum):
    """What a reason says; the comment of a member names the reason's values, in order."""

    # Why a batch is repaired.
    MISSING_LISTED = enum.auto()  # results in the queue's list that have no row, total of the batch
    MISSING_COUNTED = enum.auto()  # results in the queue's counts that have no row, total of the batch
    PORTION = enum.auto()  # listed results that this repair records
    LATER_ATTEMPTS = enum.auto()  # jobs with a later attempt in the queue's list than was reported
    CONFLICTS = enum.auto()  # results that were reported with another outcome than the queue lists
    SURPLUS = enum.auto()  # outcome, jobs that the queue counts with it, jobs reported with it
    OTHER_TOTAL = enum.auto()  # jobs in the queue, announced jobs
    NEVER_SEALED = enum.auto()
    CANCELLED = enum.auto()  # jobs that never ran
    ONLY_END_MISSING = enum.auto()
    RECOUNTED = enum.auto()  # succeeded, failed and skipped jobs that the queue counts now
    ENDED_BY_PERSON = enum.auto()  # outcome, jobs without a result that now have it
    FAILURE_LIMIT = enum.auto()  # failed jobs

    # Why a batch is not repaired, or does not end yet.
    STILL_PENDING = enum.auto()  # pending jobs
    CANCELLED_STILL_PENDING = enum.auto()  # pending jobs
    UNREADABLE = enum.auto()  # pending jobs that cannot be read, what is wrong with the first
    MAY_ADD_JOBS = enum.auto()
    NO_JOBS = enum.auto()
    ENDED = enum.auto()  # state of the batch
    DELETED = enum.auto()
    CHANGED_MEANWHILE = enum.auto()
    CUT_SHORT = enum.auto()
    DATABASE_UNAVAILABLE = enum.auto()
    QUEUE_ERROR = enum.auto()  # message of the QueueError
    UNEXPECTED = enum.auto()  # class of the exception, whose text may hold secrets

    # What people are told besides.
    UNCHANGED = enum.auto()  # seconds since the queue's pending jobs or the results changed
    NO_RESULT = enum.auto()  # seconds since the last result
    ONLY_COUNTS = enum.auto()
    END_BY_HAND = enum.auto()

    # What cannot be true. Counts are four values: succeeded, failed, skipped, pending.
    NEGATIVE_COUNT = enum.auto()  # counts, total
    WRONG_SUM = enum.auto()  # counts, total
    TOO_MANY_JOBS = enum.auto()  # counts, total
    LISTED_TWICE = enum.auto()
    LIST_DIFFERS = enum.auto()  # counts of the list, counts of the queue
    TOO_MANY_RESULTS = enum.auto()  # results that the batch would have, total
    TOO_FEW_RESULTS = enum.auto()  # results that the batch would have, total


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that explains a decision."""

    kind: ReasonKind
    values: tuple[int | str, ...] = ()


Reasons = tuple[Reason, ...]
