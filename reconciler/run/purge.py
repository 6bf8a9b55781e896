"""Deletes batches that ended long ago, in its own share of the time of a pass."""

import asyncio

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.batch_store import BatchStore
from reconciler.run.deadline import Deadline, StopReason

PURGE_SHARE = 0.125
"""The part of a pass in which old batches are deleted before others are checked: 30 of 240 s, in which
thousands are deleted. Slow batches can use up only the rest. Without a backlog of old batches, it takes some
milliseconds."""

_log = structlog.get_logger()


async def purge_ended(
    store: BatchStore, deadline: Deadline, retention_seconds: float, *, seconds_max: float
) -> int:
    """Remove batches that ended longer ago than that, then delete their rows, as long as there is time.

    Retention 0 removes none, but the rows of replaced batches are deleted. The next pass continues, also if
    the database stops answering.

    Args:
        store: Where batches are kept.
        deadline: When the pass stops.
        retention_seconds: How long batches are kept after their end.
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
        while retention_seconds > 0 and has_time() and (some := await store.purge_ended(retention_seconds)):
            removed += some
        while has_time() and await store.delete_chunk():
            pass
    except DatabaseUnavailable:
        deadline.stop(StopReason.DATABASE_UNAVAILABLE)
    if deadline.is_over:
        _log.info("the next pass continues the deletion")
    return removed
