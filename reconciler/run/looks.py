"""Keeps a look at each batch that a pass leaves open."""

import structlog

from batches.errors import BatchNotFound, DatabaseUnavailable
from batches.look import Look
from batches.store.batch_store import BatchStore
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.run.result import BatchResult, Word

_NO_LOOKS = frozenset({NotRepairedReason.CUT_SHORT, NotRepairedReason.DATABASE_UNAVAILABLE})
"""The queue was not asked, or not to the end: the next pass looks at these batches before others."""

_log = structlog.get_logger()


async def keep_look(store: BatchStore, result: BatchResult, word: Word) -> None:
    """Keep what a pass found about a batch that it leaves open."""
    look = look_of(result, word)
    if look is None:
        return
    try:
        await store.record_look(look)
    except BatchNotFound:
        return
    except DatabaseUnavailable:
        _log.warning("the look at a batch was not kept", batch_id=look.batch_id)


def look_of(result: BatchResult, word: Word) -> Look | None:
    """Return the look to keep; None if the batch has ended or was not looked at. Pure."""
    left = result.not_repaired or result.unfinished
    if left is None or result.after.has_ended or left.reason in _NO_LOOKS:
        return None
    return Look(result.after.batch_id, left.reason.value, word(left.details), result.pending)
