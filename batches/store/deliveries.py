"""Claims deliveries for an attempt, and keeps what became of it.

A claim moves the next attempt of a delivery to the time at which another notifier takes it over, and counts
the attempt: whoever claimed it before has a lower number and changes nothing any more. So the deliveries of a
notifier that dies are tried again, and no delivery waits for a lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from batches.delivery import (
    LAST_ANSWER_CHARACTERS_MAX,
    AttemptResult,
    ClaimedDelivery,
    DeliveryOverview,
    DeliveryState,
    NewDelivery,
    Queue,
)
from batches.event import EventType
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.sql_functions import database_now

COUNTED_DELIVERIES_MAX = 100_000
"""The counts stop here: counting this many reads an index for some 20 ms."""

_table = schema.deliveries.c
_earlier = schema.deliveries.alias("earlier")

_INSERT = insert(schema.deliveries)
_END = update(schema.deliveries).where(
    _table.delivery_key == bindparam("key"),
    _table.attempts == bindparam("claimed_attempts"),
    _table.state == int(DeliveryState.PENDING),
)
_WAIT = update(schema.deliveries).where(
    _table.batch_key == bindparam("of_batch"),
    _table.subscription == bindparam("of_subscription"),
    _table.delivery_key > bindparam("after_key"),
    _table.state == int(DeliveryState.PENDING),
)


async def create_deliveries(connection: AsyncConnection, new: Sequence[NewDelivery]) -> None:
    """Insert deliveries, the first attempts of which are due at once."""
    if not new:
        return
    now = await _now(connection)
    await connection.execute(_INSERT, [_new_values(one, now) for one in new])


async def find_due(connection: AsyncConnection, sizes: Mapping[Queue, int]) -> list[int]:
    """Return the keys of deliveries that are due, the longest due first, at most so many of each queue.

    A delivery waits until those of earlier events of the same batch have ended, so that the receiver gets the
    events of a batch in order. No row is locked: one that another notifier has locked still exists.
    """
    now = await _now(connection)
    found: list[int] = []
    for queue, size in sizes.items():
        due = select(_table.delivery_key).where(*_of(queue), _table.next_attempt_time <= now, ~_has_earlier())
        found += (await connection.scalars(due.order_by(_table.next_attempt_time).limit(size))).all()
    return found


async def claim(
    connection: AsyncConnection, keys: Sequence[int], lease_seconds: float
) -> list[ClaimedDelivery]:
    """Claim those of the deliveries that are still due.

    Args:
        connection: The transaction.
        keys: The deliveries.
        lease_seconds: After how long another notifier takes them over.

    """
    now = await _now(connection)
    free = select(schema.deliveries).where(
        _table.delivery_key.in_(keys),
        _table.state == int(DeliveryState.PENDING),
        _table.next_attempt_time <= now,
    )
    rows = await connection.execute(free.order_by(_table.delivery_key).with_for_update(skip_locked=True))
    claimed = [_to_claimed(row) for row in rows]
    if claimed:
        values = {
            "attempts": _table.attempts + 1,
            "next_attempt_time": now + timedelta(seconds=lease_seconds),
        }
        await connection.execute(
            update(schema.deliveries)
            .where(_table.delivery_key.in_([one.delivery_key for one in claimed]))
            .values(values)
        )
    return claimed


async def keep_results(connection: AsyncConnection, results: Sequence[AttemptResult]) -> None:
    """Keep what became of attempts, except of deliveries that another notifier has taken over."""
    now = await _now(connection)
    await connection.execute(_END, [_result_values(one, now) for one in results])
    waits = [
        {
            "of_batch": one.delivery.batch_key,
            "of_subscription": one.delivery.queue.subscription,
            "after_key": one.delivery.delivery_key,
            "next_attempt_time": now + timedelta(seconds=one.retry_seconds),
        }
        for one in results
        if one.retry_seconds is not None
    ]
    if waits:  # the later events of the batch have to wait as well: claims need not look at them
        await connection.execute(_WAIT, waits)


async def end_queue(connection: AsyncConnection, queue: Queue, answer: str, size: int) -> int:
    """End some pending deliveries of a queue as DEAD, since their receiver is gone; return their number."""
    return await _end_some(connection, and_(*_of(queue)), answer, size)


async def end_unknown(
    connection: AsyncConnection, known: Iterable[Queue], due_seconds: float, answer: str, size: int
) -> int:
    """End some deliveries as DEAD that have been due for long and belong to no known queue."""
    now = await _now(connection)
    is_known = or_(false(), *(and_(*_is_in(one)) for one in known))
    unknown = and_(
        _table.state == int(DeliveryState.PENDING),
        _table.next_attempt_time < now - timedelta(seconds=due_seconds),
        ~is_known,
    )
    return await _end_some(connection, unknown, answer, size)


async def purge_deliveries(connection: AsyncConnection, ended_before: datetime, size: int) -> int:
    """Delete some deliveries that ended before that time; return their number."""
    old = select(_table.delivery_key).where(_table.end_time < ended_before)
    keys = (await connection.scalars(old.order_by(_table.end_time).limit(size))).all()
    if keys:
        await connection.execute(delete(schema.deliveries).where(_table.delivery_key.in_(keys)))
    return len(keys)


async def read_overview(connection: AsyncConnection) -> DeliveryOverview:
    """Return totals over all deliveries, and the age of the oldest event that is not delivered."""
    now = await _now(connection)
    pending = _some(DeliveryState.PENDING)
    oldest: datetime | None = await connection.scalar(select(func.min(pending.c.create_time)))
    waiting: datetime | None = await connection.scalar(select(func.min(schema.events.c.event_time)))
    times = [time for time in (oldest, waiting) if time is not None]
    return DeliveryOverview(
        pending=await connection.scalar(select(func.count()).select_from(pending)) or 0,
        dead=await connection.scalar(select(func.count()).select_from(_some(DeliveryState.DEAD))) or 0,
        oldest_pending_seconds=max(0.0, (now - min(times)).total_seconds()) if times else 0.0,
    )


def _some(state: DeliveryState) -> Any:
    query = select(_table.create_time).where(_table.state == int(state))
    return query.limit(COUNTED_DELIVERIES_MAX).subquery()


async def _end_some(
    connection: AsyncConnection, condition: ColumnElement[bool], answer: str, size: int
) -> int:
    keys = (await connection.scalars(select(_table.delivery_key).where(condition).limit(size))).all()
    if keys:
        values = {
            "state": int(DeliveryState.DEAD),
            "last_answer": answer[:LAST_ANSWER_CHARACTERS_MAX],
            "next_attempt_time": None,
            "end_time": await _now(connection),
        }
        await connection.execute(
            update(schema.deliveries)
            .where(_table.delivery_key.in_(keys), _table.state == int(DeliveryState.PENDING))
            .values(values)
        )
    return len(keys)


def _of(queue: Queue) -> tuple[ColumnElement[bool], ...]:
    return (_table.state == int(DeliveryState.PENDING), *_is_in(queue))


def _is_in(queue: Queue) -> tuple[ColumnElement[bool], ...]:
    return (_table.subscription == queue.subscription, _table.host == queue.host)


def _has_earlier() -> ColumnElement[bool]:
    return exists().where(
        _earlier.c.batch_key == _table.batch_key,
        _earlier.c.subscription == _table.subscription,
        _earlier.c.delivery_key < _table.delivery_key,
        _earlier.c.state == int(DeliveryState.PENDING),
    )


async def _now(connection: AsyncConnection) -> datetime:
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    return now


def _new_values(new: NewDelivery, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": new.delivery_id,
        "batch_key": new.event.batch.batch_key,
        "batch_id": new.event.batch.batch_id,
        "event_type": int(new.event.type),
        "subscription": new.queue.subscription,
        "host": new.queue.host,
        "url": new.url,
        "body": new.body,
        "state": int(DeliveryState.PENDING),
        "attempts": 0,
        "last_answer": "",
        "create_time": new.event.time,
        "next_attempt_time": now,
    }


def _result_values(result: AttemptResult, now: datetime) -> dict[str, Any]:
    is_pending = result.retry_seconds is not None
    return {
        "key": result.delivery.delivery_key,
        "claimed_attempts": result.delivery.attempts,
        "state": int(result.state),
        "last_answer": result.answer[:LAST_ANSWER_CHARACTERS_MAX],
        "next_attempt_time": now + timedelta(seconds=result.retry_seconds or 0) if is_pending else None,
        "end_time": None if is_pending else now,
    }


def _to_claimed(row: Row[Any]) -> ClaimedDelivery:
    return ClaimedDelivery(
        delivery_key=row.delivery_key,
        delivery_id=row.delivery_id,
        batch_key=row.batch_key,
        batch_id=row.batch_id,
        type=EventType(row.event_type),
        queue=Queue(row.subscription, row.host),
        url=row.url,
        body=row.body,
        attempts=row.attempts + 1,
    )
