"""Keeps a look at each batch that a pass leaves open."""

import structlog

from batches.errors import BatchNotFound, DatabaseUnavailable
from batches.look import Look
from batches.store.batch_store import BatchStore
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.run.result import BatchResult, Word

_AGES = frozenset({ReasonKind.UNCHANGED, ReasonKind.NO_RESULT})
"""Durations: whoever reads the look tells them as of then."""

_log = structlog.get_logger()


async def keep_look(store: BatchStore, result: BatchResult, word: Word, stuck_after_seconds: float) -> None:
    """Keep what a pass found about a batch that it leaves open, and tell subscribers if it is stuck."""
    look = look_of(result, word, stuck_after_seconds)
    if look is None:
        return
    try:
        await store.record_look(look)
    except BatchNotFound:
        return
    except DatabaseUnavailable:
        _log.warning("the look at a batch was not kept", batch_id=look.batch_id)


def look_of(result: BatchResult, word: Word, stuck_after_seconds: float) -> Look | None:
    """Return the look to keep; None if the batch has ended or the database did not answer. Pure.

    A batch that the stop of the pass cut short was looked at too: it may take up every pass to the end.
    """
    left = result.not_repaired or result.unfinished
    if left is None or result.after.has_ended or left.reason is NotRepairedReason.DATABASE_UNAVAILABLE:
        return None
    reason = word((*left.details, *(one for one in left.advice if one.kind not in _AGES)))
    kind, needs_person, batch = left.reason.value, left.needs_person, result.after
    return Look(
        batch.batch_id, kind, reason, result.pending, needs_person, batch.batch_key, stuck_after_seconds
    )
