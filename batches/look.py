"""What the reconciler found when it looked at a batch and left it open. Pure.

A look changes nothing about the batch: it has no revision and wakes no watcher.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from batches.batch import Batch
from batches.clock import lies_ahead
from batches.listing import Page

PENDING_JOBS_MAX = 1_000
"""Pending jobs that are kept of each look: more than a person reads, few enough to write in some 20 ms."""


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job that was pending in the queue."""

    job_id: str
    display_name: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class QueuePending:
    """The pending jobs of a batch, as its queue told them."""

    number: int
    lists_jobs: bool
    """Whether the queue lists its jobs; others keep only counts."""
    first_jobs: tuple[PendingJob, ...] = ()
    """The first PENDING_JOBS_MAX of them, in ascending byte order of job_id."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a batch that was left open."""

    batch_id: str
    reason_kind: str
    """Why it was left open: a NotRepairedReason of the reconciler."""
    reason: str
    """The same as a sentence for people."""
    pending: QueuePending | None = None
    """None if the queue did not tell it."""
    needs_person: bool = False
    """Whether the batch will probably stay as it is until a person does something."""
    batch_key: int | None = None
    """The batch that was looked at: another one may have taken its id since. None: any."""
    stuck_after_seconds: float | None = None
    """The silence after which the batch is stuck and subscribers are told; None: they are never told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """The stored record of the newest look at a batch."""

    look_time: datetime
    reason_kind: str
    reason: str
    pending_jobs: int | None = None
    """The pending jobs of the newest look at which the queue told them; None if there is no such look."""
    pending_time: datetime | None = None
    """The time of that look."""
    unchanged_since: datetime | None = None
    """Since when every look has found this number of pending jobs, and no result was recorded."""
    lists_jobs: bool = False
    needs_person: bool = False

    @property
    def sentence(self) -> str:
        """The reason, and why it comes without the names of the pending jobs if it does."""
        if self.pending_jobs and not self.lists_jobs:
            return f"{self.reason}; the queue keeps only counts and does not name its jobs"
        return self.reason

    def is_newer_than(self, batch: Batch, now: datetime) -> bool:
        """Return whether no result was recorded since; an earlier look says nothing about the batch now.

        If the clock was set back since the look, nobody knows. If it was set back since the last result, the
        look was made after it.
        """
        if lies_ahead(self.look_time, now):
            return False
        return self.look_time >= batch.quiet_since or lies_ahead(batch.quiet_since, now)


@dataclass(frozen=True, slots=True)
class PendingPage:
    """A page of the jobs that were pending at the newest look at a batch."""

    jobs: Page[PendingJob, str]
    look: LastLook | None
    """None if there was no look since the batch's last result."""


def last_look(look: Look, batch: Batch, before: LastLook | None) -> LastLook:
    """Return what to store about a look.

    Args:
        look: The look.
        batch: The batch, as it was read now.
        before: The look before, if there was one.

    """
    now = batch.change_time
    if before is not None and not before.is_newer_than(batch, now):
        before = None
    new = LastLook(
        look_time=now, reason_kind=look.reason_kind, reason=look.reason, needs_person=look.needs_person
    )
    pending = look.pending
    if pending is None:
        return new if before is None else _with_pending_of(before, new)
    is_unchanged = before is not None and before.pending_jobs == pending.number
    return replace(
        new,
        pending_jobs=pending.number,
        pending_time=now,
        unchanged_since=before.unchanged_since if before is not None and is_unchanged else now,
        lists_jobs=pending.lists_jobs,
    )


def _with_pending_of(before: LastLook, new: LastLook) -> LastLook:
    return replace(
        before,
        look_time=new.look_time,
        reason_kind=new.reason_kind,
        reason=new.reason,
        needs_person=new.needs_person,
    )
