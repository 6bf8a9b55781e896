"""What happens to a batch that others are told about: its end, and that it is stuck. Pure.

A batch has one end event: a state that has ended stays, and later tallies make no second one.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

from batches.batch import Batch, BatchState

KEPT_SECONDS = 30 * 86_400.0
"""How long an event waits for a notifier, and how long a delivery is kept after its end: a month, in which
somebody looks for a webhook that did not come."""

STALL_REASON_CHARACTERS_MAX = 1_000
"""The reason of a look, and what the reconciler adds to it."""


class EventType(enum.IntEnum):
    """What has happened. The numbers are stored in the database."""

    COMPLETED = 1
    CANCELLED = 2
    STUCK = 3
    RECOVERED = 4

    @property
    def text(self) -> str:
        """The name that subscribers get: batch.completed."""
        return f"batch.{self.name.lower()}"


EVENT_TYPES = {one.text: one for one in EventType}
"""The types by the names that subscribers get."""

_ENDS = {BatchState.COMPLETED: EventType.COMPLETED, BatchState.CANCELLED: EventType.CANCELLED}


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is to be written in the transaction that makes it happen."""

    type: EventType
    batch: Batch
    """The batch as the transaction leaves it."""
    time: datetime
    stall_reason: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was written and not yet handed to the subscriptions."""

    event_key: int
    event_id: str
    """A UUID, which no other event has, even after a backup was restored."""
    type: EventType
    batch: Batch
    """The batch as it was then."""
    time: datetime
    stall_reason: str
    notify_url: str | None
    """The URL that the creator of the batch gave."""


def end_of(batch: Batch) -> NewEvent | None:
    """Return the event of a change that ends the batch; None for any other change."""
    if not batch.ends_now:
        return None
    return NewEvent(_ENDS[batch.state], batch, batch.complete_time or batch.read_time)
