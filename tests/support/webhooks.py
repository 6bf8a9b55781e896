"""Events and deliveries in tests."""

from batches.delivery import AttemptResult, ClaimedDelivery, DeliveryState, NewDelivery, Queue
from batches.event import Event
from batches.store.webhook_store import WebhookStore

BILLING = Queue("billing")
"""A subscription."""
LEASE_SECONDS = 60.0


async def taken_events(store: WebhookStore) -> list[Event]:
    """Take the events that wait, the oldest first."""
    events: dict[int, Event] = {}

    def take(event: Event) -> list[NewDelivery]:
        events[event.event_key] = event
        return []

    while await store.hand_over_events(take):
        pass
    return list(events.values())


async def hand_over(store: WebhookStore, queue: Queue = BILLING) -> int:
    """Make a delivery of each event that waits; return their number."""
    return await store.hand_over_events(lambda event: [NewDelivery(event, queue, event.type.text)])


async def claim(store: WebhookStore, size: int = 100, queue: Queue = BILLING) -> list[ClaimedDelivery]:
    """Claim deliveries."""
    return await store.claim_deliveries({queue: size}, LEASE_SECONDS)


async def keep(
    store: WebhookStore, claimed: ClaimedDelivery, state: DeliveryState, retry_seconds: float | None = None
) -> None:
    """Keep what became of an attempt."""
    await store.keep_attempts([AttemptResult(claimed, state, state.name.lower(), retry_seconds)])
