"""Deletes batches that ended long ago, in bounded chunks, as long as the pass has time."""

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.batch_store import BatchStore
from reconciler.run.deadline import PassEnd

_log = structlog.get_logger()


async def forget_ended(store: BatchStore, end: PassEnd, retention_seconds: float) -> int:
    """Forget batches that ended longer ago than that, then delete their rows; return how many were forgotten.

    What there is no time for is left to the next pass, and so is everything if the database goes away.
    """
    forgotten = 0
    try:
        while not end.is_over and (some := await store.purge_ended(retention_seconds)):
            forgotten += some
        while not end.is_over and await store.delete_chunk():
            pass
    except DatabaseUnavailable:
        end.cut("the database does not answer")
    if end.is_over:
        _log.info("the next pass goes on deleting")
    return forgotten
