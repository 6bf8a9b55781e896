"""Why a batch was not repaired, or not completely. Pure."""

import enum
from dataclasses import dataclass
from typing import Self

from reconciler.decision.reasons import Reason, ReasonKind, Reasons


class NotRepairedReason(enum.StrEnum):
    """The groups in which the summary counts batches that were not repaired."""

    ENDED = "ended"
    """A worker, a client or another pass ended it first."""
    STILL_PENDING = "still_pending"
    """The queue still has jobs to run."""
    MAY_ADD_JOBS = "may_add_jobs"
    """No job is pending, but the queue may add jobs."""
    NO_JOBS = "no_jobs"
    """The queue has not received the batch's jobs yet, or no longer keeps them."""
    UNKNOWN_TO_QUEUE = "unknown_to_queue"
    CHANGED_MEANWHILE = "changed_meanwhile"
    """Results keep coming in, so the batch is not stuck."""
    CONTRADICTION = "contradiction"
    """The queue's answers cannot be true; a person must look."""
    QUEUE_UNAVAILABLE = "queue_unavailable"
    TIMED_OUT = "timed_out"
    """The queue did not answer about this batch in time; perhaps it is too large."""
    ACCESS_DENIED = "access_denied"
    QUEUE_FAULT = "queue_fault"
    DATABASE_UNAVAILABLE = "database_unavailable"
    NO_SUCH_BATCH = "no_such_batch"
    UNEXPECTED = "unexpected"
    """A defect in the reconciler; the log has the stack trace."""
    CUT_SHORT = "cut_short"
    """The pass had to stop; the next one continues."""


ERRORS = frozenset(
    {
        NotRepairedReason.CONTRADICTION,
        NotRepairedReason.QUEUE_UNAVAILABLE,
        NotRepairedReason.TIMED_OUT,
        NotRepairedReason.ACCESS_DENIED,
        NotRepairedReason.QUEUE_FAULT,
        NotRepairedReason.DATABASE_UNAVAILABLE,
        NotRepairedReason.NO_SUCH_BATCH,
        NotRepairedReason.UNEXPECTED,
    }
)
"""Reasons that another try, or a person, can remove; the others are normal."""

_FOR_PERSONS = frozenset(
    {NotRepairedReason.CONTRADICTION, NotRepairedReason.QUEUE_FAULT, NotRepairedReason.UNEXPECTED}
)
"""Reasons of one batch that the next pass will most likely find again."""


@dataclass(frozen=True, slots=True)
class NotRepaired:
    """The decision to write nothing (more) to a batch."""

    reason: NotRepairedReason
    details: Reasons
    advice: Reasons = ()
    """For how long nothing has changed, and what a person can do."""

    @property
    def is_error(self) -> bool:
        """Whether the pass is not clean because of this batch."""
        return self.reason in ERRORS

    @property
    def told(self) -> Reasons:
        """Everything to tell people about the batch."""
        return self.details + self.advice

    @property
    def needs_person(self) -> bool:
        """Whether the batch will probably stay as it is until a person does something."""
        return bool(self.advice) or self.reason in _FOR_PERSONS

    @classmethod
    def because(cls, reason: NotRepairedReason, kind: ReasonKind, *values: int | str) -> Self:
        """Return a decision that one detail explains."""
        return cls(reason, (Reason(kind, values),))
