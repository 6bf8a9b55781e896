"""Reads the history of a batch."""

from batches.history import HistoryPoint, history_of, unpack_recent
from batches.store.connections import AsyncConnection
from batches.store.history_points import read_moved
from batches.store.rows import read_batch_with_history


async def read_history(connection: AsyncConnection, batch_id: str) -> list[HistoryPoint]:
    """Return the points of a batch in ascending order of time. The connection must read a snapshot.

    Raises:
        BatchNotFound: there is no such batch.

    """
    batch = await read_batch_with_history(connection, batch_id)
    recent = unpack_recent(batch.recent_history)
    moved = await read_moved(connection, batch.batch_key) if recent.moved else []
    return history_of(batch, [*moved, *recent.points])
