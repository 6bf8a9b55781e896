"""Keeps the points of histories: the newest in the rows of the batches, the others in a table of their own.

Every function that writes holds the locks of the batches.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import delete, func, insert, select

from batches.batch import Batch
from batches.history import (
    KEPT_POINTS_MAX,
    POINT_BYTES,
    RECENT_BYTES_MAX,
    RECENT_POINTS_MAX,
    THINNED_POINTS_MAX,
    HistoryPoint,
    RecentPoints,
    interval_seconds,
    pack,
    pack_recent,
    points_to_keep,
    thinned,
    unpack,
    unpack_recent,
    with_points,
)
from batches.store import schema
from batches.store.connections import AsyncConnection

_table = schema.batch_history.c
_INSERT = insert(schema.batch_history)


async def keep_points(
    connection: AsyncConnection, before: Iterable[Batch], after: Collection[Batch]
) -> dict[int, bytes]:
    """Move old points out of the rows of batches that get new ones.

    Returns:
        The recent points to save in the rows of these batches, by batch_key.

    """
    as_locked = {batch.batch_key: batch for batch in before}
    recent: dict[int, bytes] = {}
    moved: list[dict[str, Any]] = []
    for batch in after:
        if new := points_to_keep(as_locked[batch.batch_key], batch):
            packed = with_points(batch.recent_history, new)
            if len(packed) > RECENT_BYTES_MAX:
                row, number = await _row_of_moved(connection, batch, unpack_recent(batch.recent_history))
                moved.append(row)
                packed = pack_recent(RecentPoints(number, new))
            recent[batch.batch_key] = packed
    if moved:
        await connection.execute(_INSERT, moved)
    return recent


async def _row_of_moved(
    connection: AsyncConnection, batch: Batch, recent: RecentPoints
) -> tuple[dict[str, Any], int]:
    """Return a row for the points that leave the row of their batch, and how many are moved then.

    If the batch has too many points, the row is for all of them, thinned, and the rows before are deleted.
    """
    first_point, points = recent.moved, recent.points
    if first_point + len(points) + RECENT_POINTS_MAX > KEPT_POINTS_MAX:
        points = [*await read_moved(connection, batch.batch_key), *points]
        await connection.execute(delete(schema.batch_history).where(_table.batch_key == batch.batch_key))
        interval = interval_seconds(batch.create_time, batch.change_time)
        first_point, points = 0, thinned(points, THINNED_POINTS_MAX, interval)
    row = {"batch_key": batch.batch_key, "first_point": first_point, "points": pack(points)}
    return row, first_point + len(points)


async def read_moved(connection: AsyncConnection, batch_key: int) -> list[HistoryPoint]:
    """Return the points of a batch that are not in its row, in the order in which they were kept."""
    query = select(_table.points).where(_table.batch_key == batch_key).order_by(_table.first_point)
    return [point for packed in await connection.scalars(query) for point in unpack(packed)]


async def count_moved(connection: AsyncConnection, keys: Collection[int]) -> dict[int, int]:
    """Return how many points of each of these batches are not in its row, by batch_key."""
    points = func.sum(func.length(_table.points))
    query = select(_table.batch_key, points).where(_table.batch_key.in_(keys)).group_by(_table.batch_key)
    return {key: int(size) // POINT_BYTES for key, size in await connection.execute(query)}
