"""Writes events in the transaction that makes them happen, and hands them over to the notifier once.

Nothing is written that nobody wants: a notifier with subscriptions renews a lease. After KEPT_SECONDS without
one, only the events of batches with a notify_url are written. So a server without webhooks has none, and no
setting of the servers and the reconciler must agree with the notifier.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, insert, select

from batches.batch import Batch
from batches.event import KEPT_SECONDS, STALL_REASON_CHARACTERS_MAX, Event, EventType, NewEvent, end_of
from batches.store import lease, schema
from batches.store.connections import AsyncConnection
from batches.store.script import Statement, marks, run_script, to_value

SUBSCRIPTIONS_LEASE = "subscriptions"
"""The name of the lease that notifiers with subscriptions renew."""
HOLDER = "notifiers"
"""All of them hold it together."""
HAND_OVER_LEASE = "events"
"""The row that the notifier which hands events over locks."""

_events = schema.events.c
_leases = schema.leases.c
_BATCH = TypeAdapter(Batch)
_SELECT_SUBSCRIBERS = "SELECT name FROM leases WHERE name = %s AND expire_time > %s"


async def write_ends(connection: AsyncConnection, saved: Iterable[Batch]) -> None:
    """Write the events of the batches that end with the change that is being saved: usually none."""
    if ends := [event for event in map(end_of, saved) if event is not None]:
        await write_events(connection, ends)


async def write_events(connection: AsyncConnection, events: Sequence[NewEvent]) -> bool:
    """Write events of locked batches that somebody wants.

    Returns:
        Whether one was written.

    """
    keys = [event.batch.batch_key for event in events]
    query = f"SELECT batch_key, url FROM notify_urls WHERE batch_key IN ({marks(keys)})"  # noqa: S608
    now = to_value(events[0].batch.read_time)
    found, subscribers = await run_script(
        connection, [Statement(query, keys), Statement(_SELECT_SUBSCRIBERS, (SUBSCRIPTIONS_LEASE, now))]
    )
    urls: dict[int, str] = dict(map(tuple, found))
    rows = [
        _values(event, urls.get(event.batch.batch_key))
        for event in events
        if subscribers or event.batch.batch_key in urls
    ]
    if rows:
        await connection.execute(insert(schema.events), rows)
    return bool(rows)


async def want_events(connection: AsyncConnection) -> None:
    """Let events be written for the next KEPT_SECONDS."""
    await lease.acquire(connection, SUBSCRIPTIONS_LEASE, HOLDER, KEPT_SECONDS)


async def has_events(connection: AsyncConnection) -> bool:
    """Return whether events wait to be handed over."""
    return await connection.scalar(select(_events.event_key).limit(1)) is not None


async def lock_events(connection: AsyncConnection, size: int) -> list[Event]:
    """Lock the oldest events, to hand them over in this transaction; none while another notifier does.

    One at a time, so that the deliveries of a batch are created in the order of its events.
    """
    if not await _lock_hand_over(connection):
        return []
    query = select(schema.events).order_by(_events.event_key).limit(size).with_for_update()
    return [_to_event(row) for row in await connection.execute(query)]


async def delete_events(connection: AsyncConnection, events: Iterable[Event]) -> None:
    """Delete the events that were handed over."""
    keys = [event.event_key for event in events]
    await connection.execute(delete(schema.events).where(_events.event_key.in_(keys)))


async def purge_events(connection: AsyncConnection, written_before: datetime, size: int) -> int:
    """Delete some events of before that time, for which no notifier has come; return their number."""
    oldest = select(_events.event_key, _events.event_time).order_by(_events.event_key).limit(size)
    keys = [row.event_key for row in await connection.execute(oldest) if row.event_time < written_before]
    if keys:
        await connection.execute(delete(schema.events).where(_events.event_key.in_(keys)))
    return len(keys)


async def _lock_hand_over(connection: AsyncConnection) -> bool:
    query = select(_leases.name).where(_leases.name == HAND_OVER_LEASE)
    locked = await connection.scalar(query.with_for_update(skip_locked=True))
    if locked is None and await connection.scalar(query) is None:
        return await lease.acquire(connection, HAND_OVER_LEASE, HOLDER, KEPT_SECONDS)
    return locked is not None


def _values(event: NewEvent, url: str | None) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "event_type": int(event.type),
        "batch_key": event.batch.batch_key,
        "batch": _BATCH.dump_python(event.batch, mode="json", exclude={"ends_now", "recent_history"}),
        "event_time": event.time,
        "stall_reason": event.stall_reason[:STALL_REASON_CHARACTERS_MAX],
        "notify_url": url,
    }


def _to_event(row: Row[Any]) -> Event:
    return Event(
        event_key=row.event_key,
        event_id=row.event_id,
        type=EventType(row.event_type),
        batch=_BATCH.validate_python(row.batch),
        time=row.event_time,
        stall_reason=row.stall_reason,
        notify_url=row.notify_url,
    )
