"""Deliveries: events on their way to subscribers. Pure."""

import enum
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from batches.event import Event, EventType

LAST_ANSWER_CHARACTERS_MAX = 500
"""One sentence."""
NOTIFY_URL_CHARACTERS_MAX = 2_000
"""The limit of the contract: what browsers and proxies commonly take."""
HOST_CHARACTERS_MAX = 255
"""The longest name in the DNS."""
SUBSCRIPTION_CHARACTERS_MAX = 63
"""The limit of names in Kubernetes."""


class DeliveryState(enum.IntEnum):
    """The state of a delivery. The numbers are stored in the database and equal those of the contract."""

    PENDING = 1
    DELIVERED = 2
    DEAD = 3


@dataclass(frozen=True, slots=True, order=True)
class Queue:
    """Where deliveries wait for the same receiver: a subscription, or a host of notify_urls."""

    subscription: str
    """Empty for notify_urls."""
    host: str = ""
    """host or host:port of the notify_urls; empty for a subscription."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that is to be made of an event."""

    event: Event
    queue: Queue
    body: str
    url: str | None = None
    """Of a notify_url; a subscription has its own."""

    @property
    def delivery_id(self) -> str:
        """The same whenever it is made: after a restored backup, the receiver knows the webhook-id."""
        name = f"{self.queue.subscription}\n{self.url or ''}"
        return str(uuid5(UUID(self.event.event_id), name))


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this process tries now."""

    delivery_key: int
    delivery_id: str
    batch_key: int
    batch_id: str
    type: EventType
    queue: Queue
    url: str | None
    body: str
    attempts: int
    """Including this one: whoever claims it later has a higher number."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What became of an attempt."""

    delivery: ClaimedDelivery
    state: DeliveryState
    answer: str
    """As a sentence for people."""
    retry_seconds: float | None = None
    """Until the next attempt; None unless the state is PENDING."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is listed."""

    delivery_key: int
    delivery_id: str
    batch_id: str
    type: EventType
    subscription: str
    state: DeliveryState
    attempts: int
    last_answer: str
    create_time: datetime
    next_attempt_time: datetime | None
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Selects the deliveries that match all of its parts; by default, every delivery."""

    batch_id: str = ""
    state: DeliveryState | None = None
    id_prefix: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryOverview:
    """Totals over all deliveries, for metrics."""

    pending: int
    dead: int
    oldest_pending_seconds: float
    """The age of the oldest event that is not delivered; 0 without one."""
