"""Deletes the rows of purged batches in chunks, so that no transaction touches many rows.

A chunk has as many whole batches as fit into it, or a piece of one that is larger. How far the deletion of a
large one has come is kept with its key: rows that are deleted, but may still be seen by an old snapshot, are
skipped by the database one by one, so a chunk that began at the first of them again would take longer each
time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, func, select, update

from batches.store import schema
from batches.store.connections import AsyncConnection

CHUNK_ROWS = 2_000
"""The most rows deleted in one transaction: some ten milliseconds of work."""
DETAIL_ROWS = 10
"""An error detail counts as this many rows, since it may have 16 KB: at most some 3 MB are deleted in one
transaction, which replicas get too."""
CHUNK_BATCHES = 150
"""Batches considered for one chunk. MySQL estimates the rows of each before it chooses a plan if they are
fewer than 200 (eq_range_index_dive_limit); for more it guesses, and may read the whole table."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A table that may have many rows of one batch."""

    table: Table
    second: str
    """The column that follows the key of the batch in an index."""
    weight: int = 1
    """As how many rows one counts."""

    def rows_of(self, key: int, after: str | None) -> list[ColumnElement[bool]]:
        """Return the condition for the rows of a batch whose second column is above a value."""
        is_of_batch = self.table.c.batch_key == key
        return [is_of_batch] if after is None else [is_of_batch, self.column > self._value(after)]

    @property
    def column(self) -> ColumnElement[Any]:
        """The second column."""
        return self.table.c[self.second]

    def _value(self, text: str) -> Any:
        return self.column.type.python_type(text)


_PARTS = (
    _Part(schema.error_details, "job_id", DETAIL_ROWS),
    _Part(schema.job_results, "job_id"),
    _Part(schema.job_additions, "request_id"),
    _Part(schema.failure_groups, "fingerprint"),
    _Part(schema.batch_history, "first_point"),
    _Part(schema.repairs, "repair_key"),
    _Part(schema.pending_jobs, "job_id"),
)
_FEW_ROWS = (schema.batch_labels, schema.looks, schema.notify_urls, schema.deleted_batches)
"""Tables with at most some dozen rows of each batch; the last one says that there is something to delete."""
_COUNTED = tuple(
    sorted(
        (*((part.table, part.weight) for part in _PARTS), (schema.batch_labels, 1)),
        key=lambda one: one[0] is not schema.job_results,
    )
)
"""Tables that may have more than one row of a batch, and as how many rows one counts. The results are first:
they decide how many batches fit, so that the others are counted for few."""

_purged = schema.deleted_batches.c


async def delete_chunk(connection: AsyncConnection, rows_max: int, from_key: int = 0) -> int | None:
    """Delete some rows of purged batches.

    Args:
        connection: The transaction.
        rows_max: How many rows at most, besides some of each batch in tables with few rows.
        from_key: The smallest key of a batch whose rows are deleted.

    Returns:
        The from_key of the next chunk; None if there are no such batches.

    """
    query = select(schema.deleted_batches).where(_purged.batch_key >= from_key)
    batches = (await connection.execute(query.order_by(_purged.batch_key).limit(CHUNK_BATCHES))).all()
    if not batches:
        return None
    whole = await _fitting(connection, [batch.batch_key for batch in batches], rows_max)
    if whole:
        return whole[-1] + 1
    first = batches[0]
    is_done = await _delete_piece(connection, first, rows_max)
    return int(first.batch_key) + is_done


async def delete_first_rows(connection: AsyncConnection, key: int) -> None:
    """Delete the first rows of a batch that this transaction has purged: all rows of a small one."""
    query = select(schema.deleted_batches).where(_purged.batch_key == key)
    await _delete_piece(connection, (await connection.execute(query)).one(), CHUNK_ROWS)


async def _fitting(connection: AsyncConnection, keys: Sequence[int], rows_max: int) -> Sequence[int]:
    """Delete the first batches that fit into a chunk together; return their keys."""
    touched: list[Table] = []
    left = rows_max
    for table, weight in _COUNTED:
        limit = max(1, left // weight)
        found = await _count(connection, table, keys, limit)
        if sum(found.values()) >= limit:  # the last of these batches may have more
            keys = [key for key in keys if key < max(found)]
        if not keys:
            return keys
        left -= weight * sum(found.get(key, 0) for key in keys)
        touched += [table] if found else []
    for table in (*touched, *_FEW_ROWS):
        await connection.execute(delete(table).where(table.c.batch_key.in_(keys)))
    return keys


async def _count(
    connection: AsyncConnection, table: Table, keys: Sequence[int], limit: int
) -> Mapping[int, int]:
    """Return how many of the first rows of these batches belong to each."""
    key = table.c.batch_key
    first = select(key).where(key.in_(keys)).order_by(key).limit(limit).subquery().c
    rows = await connection.execute(
        select(first.batch_key, func.count().label("number")).group_by(first.batch_key)
    )
    return {row.batch_key: row.number for row in rows}


async def _delete_piece(connection: AsyncConnection, batch: Row[Any], rows_max: int) -> bool:
    """Delete some rows of one batch, from where the last piece ended; return whether none are left."""
    key, left = batch.batch_key, rows_max
    names = [part.table.name for part in _PARTS]
    begin, after = (names.index(batch.rows_of), batch.rows_after) if batch.rows_of in names else (0, None)
    for part in _PARTS[begin:]:
        limit = max(1, left // part.weight)
        rows = part.rows_of(key, after)
        found = (
            await connection.scalars(select(part.column).where(*rows).order_by(part.column).limit(limit))
        ).all()
        if len(found) == limit:
            # A range, since SQLite has no DELETE … LIMIT and a list of ids would be a long statement.
            await connection.execute(delete(part.table).where(*rows, part.column <= found[-1]))
            await _keep_position(connection, key, part, str(found[-1]))
            return False
        if found:
            await connection.execute(delete(part.table).where(*rows))
        left -= part.weight * len(found)
        after = None
    for table in _FEW_ROWS:
        await connection.execute(delete(table).where(table.c.batch_key == key))
    return True


async def _keep_position(connection: AsyncConnection, key: int, part: _Part, after: str) -> None:
    position = update(schema.deleted_batches).where(_purged.batch_key == key)
    await connection.execute(position.values(rows_of=part.table.name, rows_after=after))
