"""Finds the batches that were created or ended lately, whatever their ids: for watches of many batches."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from sqlalchemy import func, select

from batches.batch import Batch
from batches.listing import Created, Page
from batches.store import schema
from batches.store.batch_conditions import ABOVE_ALL_ID_CHARACTERS
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.rows import SELECT_BATCH, to_batch
from batches.store.sql_functions import database_now

CREATED_KEYS_MAX = 20_000
"""Keys that one look reads, of a few bytes each."""
CREATED_BATCHES_MAX = 1_000
"""New batches that one look reads; the next look goes on."""
LATE_KEYS = 1_000
"""Keys below the newest one that a first look notes; those of late commits are among them."""

EndedKey = tuple[datetime, int]
"""complete_time and batch_key, the order in which batches that have ended are read."""

_batches = schema.batches.c
_CLOCK = select(database_now(), select(func.max(_batches.batch_key)).scalar_subquery())


async def read_created(
    connection: AsyncConnection, after_key: int | None, known: Collection[int] | None
) -> Created:
    """Return the batches above a key that are not known.

    Keys become visible in the order of the commits, which is not that of the keys. So a caller has to look
    again at those below the newest one, and tells which of them it knows.

    Args:
        connection: The connection to read with.
        after_key: Only batches with larger keys; None for the LATE_KEYS newest.
        known: The keys of batches that are not returned; None returns the keys alone.

    """
    now, newest = (await connection.execute(_CLOCK)).one()
    newest = newest or 0
    after = max(0, newest - LATE_KEYS) if after_key is None else after_key
    query = select(_batches.batch_key).where(_batches.batch_key > after)
    keys = list(await connection.scalars(query.order_by(_batches.batch_key).limit(CREATED_KEYS_MAX)))
    if known is None:
        return Created(now, newest, keys, [])
    new = [key for key in keys if key not in known]
    if len(new) > CREATED_BATCHES_MAX:
        new = new[:CREATED_BATCHES_MAX]
        keys = [key for key in keys if key <= new[-1]]
        newest = new[-1]
    elif len(keys) == CREATED_KEYS_MAX:
        newest = keys[-1]
    if not new:
        return Created(now, newest, keys, [])
    found = SELECT_BATCH.where(_batches.batch_key.in_(new)).order_by(_batches.batch_key)
    return Created(now, newest, keys, [to_batch(row) for row in await connection.execute(found)])


async def list_ended(
    connection: AsyncConnection, *, since: datetime, after: EndedKey | None, id_prefix: str, size: int
) -> Page[Batch, EndedKey]:
    """Return a page of the batches that ended at a time or later, in the order of their ends.

    They are not filtered by labels, so that the page costs the same whatever the labels are.
    """
    ended, key = _batches.complete_time, _batches.batch_key
    first = since if after is None else after[0]
    query = SELECT_BATCH.where(ended >= first).order_by(ended, key).limit(size)
    if after is not None:
        query = query.where((ended > after[0]) | (key > after[1]))
    if id_prefix:
        in_range = _batches.batch_id >= id_prefix, _batches.batch_id < id_prefix + ABOVE_ALL_ID_CHARACTERS
        query = query.where(*in_range)
    batches = [to_batch(row) for row in await connection.execute(query)]
    last = batches[-1] if len(batches) == size else None
    if last is None or last.complete_time is None:
        return Page(batches, None)
    return Page(batches, (last.complete_time, last.batch_key))


class NewsStore:
    """The reads of watches of many batches, one transaction each.

    Every method raises DatabaseUnavailable if the database does not answer in time.

    Args:
        database: The database, already migrated; the caller closes it.

    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_created(self, after_key: int | None, known: Collection[int] | None) -> Created:
        """Return the batches above a key that are not known, as `read_created` of this module does."""
        return await self._database.read(partial(read_created, after_key=after_key, known=known))

    async def list_ended(
        self, since: datetime, *, after: EndedKey | None, id_prefix: str = "", size: int = CREATED_BATCHES_MAX
    ) -> Page[Batch, EndedKey]:
        """Return a page of the batches that ended at a time or later, in the order of their ends.

        Args:
            since: By the database's clock.
            after: The next_key of the page before; None for the first page.
            id_prefix: Only batches whose ids begin with this.
            size: The maximum number of batches on the page.

        """
        return await self._database.read(
            partial(list_ended, since=since, after=after, id_prefix=id_prefix, size=size)
        )
