"""Why a batch was left as it is."""

import enum
from dataclasses import dataclass


class LeaveKind(enum.StrEnum):
    """The kinds, as they are counted in the summary."""

    ENDED = "ended"
    """Another one was faster: a worker, a client, another pass."""
    STILL_PENDING = "still_pending"
    """The queue still has jobs of it to run."""
    MAY_ADD_JOBS = "may_add_jobs"
    """Nothing is pending, but the queue may add jobs."""
    NO_JOBS = "no_jobs"
    """The queue has not been given its jobs yet, or no longer keeps them."""
    UNKNOWN_TO_QUEUE = "unknown_to_queue"
    CHANGED_MEANWHILE = "changed_meanwhile"
    """It moves, so it is not stuck."""
    CONTRADICTION = "contradiction"
    """What the queue says cannot be true; a person must look."""
    QUEUE_UNAVAILABLE = "queue_unavailable"
    QUEUE_FAULT = "queue_fault"
    DATABASE_UNAVAILABLE = "database_unavailable"
    NO_SUCH_BATCH = "no_such_batch"
    UNEXPECTED = "unexpected"
    """A defect of ours; the log holds the class and the trace."""
    CUT_SHORT = "cut_short"
    """The pass had to end; the next one goes on."""


ERRORS = frozenset(
    {
        LeaveKind.CONTRADICTION,
        LeaveKind.QUEUE_UNAVAILABLE,
        LeaveKind.QUEUE_FAULT,
        LeaveKind.DATABASE_UNAVAILABLE,
        LeaveKind.NO_SUCH_BATCH,
        LeaveKind.UNEXPECTED,
    }
)
"""Trying again, or a person, must help."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing (more) is done about a batch, for a reason that is one sentence for a person."""

    kind: LeaveKind
    reason: str

    @property
    def is_error(self) -> bool:
        """Whether the pass is not clean because of it."""
        return self.kind in ERRORS
