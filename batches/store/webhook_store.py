"""The part of the store about webhooks: events, and their deliveries."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from batches.delivery import (
    AttemptResult,
    ClaimedDelivery,
    Delivery,
    DeliveryFilter,
    DeliveryOverview,
    NewDelivery,
    Queue,
)
from batches.event import Event
from batches.listing import Page
from batches.store import deliveries, delivery_listings, events, stuck
from batches.store.connections import AsyncConnection
from batches.store.database import Database

CHUNK_ROWS = 1_000
"""Rows that one transaction deletes or ends: some ten milliseconds of work."""
CHUNK_EVENTS = 100
"""Events that one transaction hands over, or batches that recover in one: some milliseconds of work."""


class WebhookStore:
    """The operations on webhooks, one transaction each.

    Args:
        database: The database, already migrated; the caller closes it.

    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def want_events(self) -> None:
        """Let the events of all batches be written for the next 30 days."""
        await self._database.write(events.want_events)

    async def hand_over_events(self, deliveries_of: Callable[[Event], Sequence[NewDelivery]]) -> int:
        """Replace some events by their deliveries, the oldest first; return the number of events.

        Args:
            deliveries_of: Returns the deliveries of an event. It may be called several times.

        """

        async def hand_over(connection: AsyncConnection) -> int:
            found = await events.lock_events(connection, CHUNK_EVENTS)
            new = [delivery for event in found for delivery in deliveries_of(event)]
            if found:
                await deliveries.create_deliveries(connection, new)
                await events.delete_events(connection, found)
            return len(found)

        if not await self._database.read(events.has_events):  # usually: so an idle notifier locks nothing
            return 0
        return await self._database.write(hand_over)

    async def claim_deliveries(
        self, sizes: Mapping[Queue, int], lease_seconds: float
    ) -> list[ClaimedDelivery]:
        """Claim deliveries that are due.

        Args:
            sizes: The maximum number of deliveries of each queue.
            lease_seconds: After how long another notifier takes them over.

        """
        keys = await self._database.read(lambda c: deliveries.find_due(c, sizes))
        if not keys:
            return []
        return await self._database.write(lambda c: deliveries.claim(c, keys, lease_seconds))

    async def keep_attempts(self, results: Sequence[AttemptResult]) -> None:
        """Keep what became of attempts, except of deliveries that another notifier has taken over."""
        await self._database.write(lambda c: deliveries.keep_results(c, results))

    async def end_queue(self, queue: Queue, answer: str) -> int:
        """End some pending deliveries of a queue as DEAD; return their number."""
        return await self._database.write(lambda c: deliveries.end_queue(c, queue, answer, CHUNK_ROWS))

    async def end_unknown(self, known: Collection[Queue], due_seconds: float, answer: str) -> int:
        """End some deliveries as DEAD that have been due for long in no known queue; return their number."""
        return await self._database.write(
            lambda c: deliveries.end_unknown(c, known, due_seconds, answer, CHUNK_ROWS)
        )

    async def read_delivery_overview(self) -> DeliveryOverview:
        """Return totals over all deliveries."""
        return await self._database.read(deliveries.read_overview)

    async def list_deliveries(
        self, selected: DeliveryFilter, *, before_key: int | None, size: int
    ) -> Page[Delivery, int]:
        """Return a page of the selected deliveries, newest first.

        Args:
            selected: Which deliveries to list.
            before_key: The next_key of the page before; None for the first page.
            size: The maximum number of deliveries on the page.

        Raises:
            BatchNotFound: there is no such batch, where one is named.

        """
        listing = partial(
            delivery_listings.list_deliveries, selected=selected, before_key=before_key, size=size
        )
        return await self._database.read(listing)

    async def retry_delivery(self, delivery_id: str, id_prefix: str) -> Delivery:
        """Let a delivery that has ended be sent again at once; a pending one stays as it is.

        Args:
            delivery_id: The delivery.
            id_prefix: What the id of its batch begins with.

        Raises:
            DeliveryNotFound: there is no such delivery.

        """
        return await self._database.write(
            lambda c: delivery_listings.retry_delivery(c, delivery_id, id_prefix)
        )

    async def tell_recovered(self) -> int:
        """Write the events of some batches that got a result since they were stuck; return their number."""
        return await self._database.write(lambda c: stuck.tell_recovered(c, CHUNK_EVENTS))

    async def purge_webhooks(self, before: datetime) -> int:
        """Delete some deliveries that ended before that time, and events for which no notifier came since.

        Returns:
            The number of deleted rows.

        """

        async def purge(connection: AsyncConnection) -> int:
            ended = await deliveries.purge_deliveries(connection, before, CHUNK_ROWS)
            return ended + await events.purge_events(connection, before, CHUNK_ROWS)

        return await self._database.write(purge)
