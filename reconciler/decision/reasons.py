"""Why a batch is repaired or not, as data; output/wording.py puts it into words. Pure."""

import enum
from dataclasses import dataclass


class ReasonKind(enum.Enum):
    """What a reason says. The text below a member names its values, in order."""

    # Why a batch is repaired.
    NEVER_REPORTED_LISTED = enum.auto()
    """Unreported results that the queue lists; the batch's total."""
    NEVER_REPORTED_COUNTED = enum.auto()
    """Unreported results that the queue counts; the batch's total."""
    PORTION = enum.auto()
    """How many of the listed results this repair records."""
    LATER_ATTEMPTS = enum.auto()
    """Jobs of which the queue lists a later attempt than was reported."""
    CONFLICTS = enum.auto()
    """Results that were reported with another outcome than the queue lists."""
    SURPLUS = enum.auto()
    """An outcome; how many jobs the queue counts with it; the higher number that was reported."""
    OTHER_TOTAL = enum.auto()
    """The queue's number of jobs; the number that was announced."""
    NEVER_SEALED = enum.auto()
    CANCELLED = enum.auto()
    """Jobs that never ran because the queue cancelled the batch."""
    ONLY_END_MISSING = enum.auto()

    # Why a batch is not repaired, or does not end yet.
    STILL_PENDING = enum.auto()
    """Pending jobs."""
    CANCELLED_STILL_PENDING = enum.auto()
    """Pending jobs of a cancelled batch."""
    MAY_ADD_JOBS = enum.auto()
    NO_JOBS = enum.auto()
    ENDED = enum.auto()
    """The batch's state."""
    DELETED = enum.auto()
    CHANGED_MEANWHILE = enum.auto()
    CUT_SHORT = enum.auto()
    DATABASE_UNAVAILABLE = enum.auto()
    QUEUE_ERROR = enum.auto()
    """The message of the QueueError."""
    UNEXPECTED = enum.auto()
    """The class of the exception; its text may hold secrets."""

    # What cannot be true. COUNTS means: succeeded, failed, skipped, pending.
    NEGATIVE_COUNT = enum.auto()
    """COUNTS; the total."""
    WRONG_SUM = enum.auto()
    """COUNTS; the total."""
    TOO_MANY_JOBS = enum.auto()
    """COUNTS; the total."""
    LISTED_TWICE = enum.auto()
    LIST_DIFFERS = enum.auto()
    """COUNTS of the list; COUNTS as the queue counts them."""
    TOO_MANY_RESULTS = enum.auto()
    """Results the batch would have; the total."""
    TOO_FEW_RESULTS = enum.auto()
    """Results the batch would have; the total."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that explains a decision."""

    kind: ReasonKind
    values: tuple[int | str, ...] = ()


Reasons = tuple[Reason, ...]
