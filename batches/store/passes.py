"""Keeps when the reconciler's passes began and ended, so that servers can tell whether one runs at all."""

from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.store import schema
from batches.store.sql_functions import database_now

KEPT_PASSES_MAX = 1_000
"""Three and a half days of a pass every five minutes."""

_passes = schema.passes.c


async def begin_pass(connection: AsyncConnection) -> int:
    """Note that a pass begins, and forget the oldest one; return its key."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    inserted = await connection.execute(insert(schema.passes).values(start_time=now))
    (key,) = inserted.inserted_primary_key or (None,)
    assert isinstance(key, int)  # noqa: S101  # every engine returns a generated key
    await connection.execute(delete(schema.passes).where(_passes.pass_key <= key - KEPT_PASSES_MAX))
    return key


async def end_pass(connection: AsyncConnection, key: int) -> None:
    """Note that a pass has ended."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    await connection.execute(update(schema.passes).where(_passes.pass_key == key).values(end_time=now))


async def read_last_pass_time(connection: AsyncConnection) -> datetime | None:
    """Return when the newest pass ended, or began if it has not ended; None if there was none."""
    newest = select(func.coalesce(_passes.end_time, _passes.start_time, type_=schema.UtcTime()))
    found: datetime | None = await connection.scalar(newest.order_by(_passes.pass_key.desc()).limit(1))
    return found
