"""Deletes batches that ended long ago, in its own share of the time of a pass."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.batch_store import BatchStore
from reconciler.run.chunk_size import ChunkSize
from reconciler.run.deadline import Deadline, StopReason

PURGE_SHARE = 0.125
"""The part of a pass in which old batches are deleted before others are checked: 30 of 240 s, in which
thousands are deleted. Slow batches can use up only the rest. Without a backlog of old batches, it takes some
milliseconds."""

_log = structlog.get_logger()


async def purge_ended(
    store: BatchStore, deadline: Deadline, ended_before: datetime | None, *, seconds_max: float
) -> int:
    """Remove batches that ended before that time, then delete their rows, as long as there is time.

    Without a time none is removed, but the rows of replaced batches are deleted. The next pass continues,
    also if the database stops answering.

    Args:
        store: Where batches are kept.
        deadline: When the pass stops.
        ended_before: When batches must have ended to be removed; None keeps all.
        seconds_max: How long this may take.

    Returns:
        How many batches were removed.

    """
    clock = asyncio.get_running_loop().time
    end = clock() + seconds_max
    removed = 0

    def has_time() -> bool:
        return not deadline.is_over and clock() < end

    try:
        while ended_before is not None and has_time() and (some := await store.purge_ended(ended_before)):
            removed += some
        await _delete_rows(store, has_time)
    except DatabaseUnavailable:
        deadline.stop(StopReason.DATABASE_UNAVAILABLE)
    if deadline.is_over:
        _log.info("the next pass continues the deletion")
    return removed


async def _delete_rows(store: BatchStore, has_time: Callable[[], bool]) -> None:
    """Delete the rows of purged batches in chunks, with pauses for reports and for other nodes."""
    clock = asyncio.get_running_loop().time
    size, start = ChunkSize(), clock()
    # From key to key, since the database would skip the deleted ones one by one under an old snapshot.
    key: int | None = 0
    while key is not None and has_time():
        key = await store.delete_chunk(size.rows_max, key)
        await asyncio.sleep(size.pause_after(clock() - start))
        start = clock()
