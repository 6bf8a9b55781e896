"""Lists deliveries, and lets one be sent again."""

from typing import Any

from sqlalchemy import Row, Select, select, update

from batches.delivery import Delivery, DeliveryFilter, DeliveryState
from batches.errors import DeliveryNotFound
from batches.event import EventType
from batches.listing import Page
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.listings import page_of
from batches.store.rows import read_batch
from batches.store.sql_functions import database_now

_table = schema.deliveries.c
_LISTED: Select[Any] = select(
    _table.delivery_key,
    _table.delivery_id,
    _table.batch_id,
    _table.event_type,
    _table.subscription,
    _table.state,
    _table.attempts,
    _table.last_answer,
    _table.create_time,
    _table.next_attempt_time,
    _table.end_time,
)


async def list_deliveries(
    connection: AsyncConnection, selected: DeliveryFilter, *, before_key: int | None, size: int
) -> Page[Delivery, int]:
    """Return a page of the selected deliveries, newest first.

    Raises:
        BatchNotFound: there is no such batch, where one is named.

    """
    query = _LISTED.order_by(_table.delivery_key.desc()).limit(size + 1)
    if selected.batch_id:
        query = query.where(_table.batch_key == (await read_batch(connection, selected.batch_id)).batch_key)
    if selected.state is not None:
        query = query.where(_table.state == int(selected.state))
    if selected.id_prefix:
        query = query.where(_table.batch_id.startswith(selected.id_prefix, autoescape=True))
    if before_key is not None:
        query = query.where(_table.delivery_key < before_key)
    found = [_to_delivery(row) for row in await connection.execute(query)]
    return page_of(found, [one.delivery_key for one in found], size)


async def retry_delivery(connection: AsyncConnection, delivery_id: str, id_prefix: str) -> Delivery:
    """Let a delivery that has ended be sent again at once, with all its attempts; a pending one stays.

    Args:
        connection: The transaction.
        delivery_id: The delivery.
        id_prefix: What the id of its batch begins with; another delivery does not exist for the caller.

    Raises:
        DeliveryNotFound: there is no such delivery.

    """
    is_it = _table.delivery_id == delivery_id
    await connection.execute(
        update(schema.deliveries)
        .where(
            is_it,
            _table.batch_id.startswith(id_prefix, autoescape=True),
            _table.state != int(DeliveryState.PENDING),
        )
        .values(state=int(DeliveryState.PENDING), attempts=0, next_attempt_time=database_now(), end_time=None)
    )
    row = (await connection.execute(_LISTED.where(is_it))).first()
    if row is None or not row.batch_id.startswith(id_prefix):
        raise DeliveryNotFound(delivery_id)
    return _to_delivery(row)


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_key=row.delivery_key,
        delivery_id=row.delivery_id,
        batch_id=row.batch_id,
        type=EventType(row.event_type),
        subscription=row.subscription,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        last_answer=row.last_answer,
        create_time=row.create_time,
        next_attempt_time=row.next_attempt_time,
        end_time=row.end_time,
    )
