"""Tells subscribers once that a batch is stuck, and once that it has recovered.

The reconciler decides: a batch is stuck if a pass leaves it open without a result for so long as the
reconciler waits. It has recovered if a pass finds a result since; if it ends, there is only the event of the
end.
"""

import math
from collections.abc import Sequence

from sqlalchemy import and_, select, update

from batches import pace
from batches.batch import Batch, BatchState
from batches.event import EventType, NewEvent
from batches.look import LastLook
from batches.stall import Findings, ReconcilerRules, stall_reason
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.events import write_events
from batches.store.locking import lock_batches

_batches = schema.batches.c
_looks = schema.looks.c
_has_recovered = and_(_looks.stuck_time.is_not(None), _batches.last_result_time > _looks.stuck_time)
_RULES = ReconcilerRules(stuck_after_seconds=0, period_seconds=math.inf)
"""Of no effect on the stall reason at the time of a look."""


async def tell_stuck(
    connection: AsyncConnection, batch: Batch, look: LastLook, stuck_after_seconds: float
) -> None:
    """Write the event of a locked batch that a pass has left open, if it is stuck and none was written."""
    now = batch.read_time
    if pace.silent_seconds_of(batch, now) < stuck_after_seconds:
        return
    is_look = _looks.batch_key == batch.batch_key
    if await connection.scalar(select(_looks.stuck_time).where(is_look)) is not None:
        return
    reason = stall_reason(batch, now, _RULES, Findings(look, now)) or look.sentence
    if await write_events(connection, [NewEvent(EventType.STUCK, batch, now, reason)]):
        await connection.execute(update(schema.looks).where(is_look).values(stuck_time=batch.change_time))


async def tell_recovered(connection: AsyncConnection, size: int) -> int:
    """Write the events of some batches that got a result since they were stuck; return their number."""
    query = (
        select(_batches.batch_id)
        .join(schema.looks, _looks.batch_key == _batches.batch_key)
        .where(_has_recovered, _batches.state == int(BatchState.PROCESSING))
        .limit(size)
    )
    locked = await lock_batches(connection, (await connection.scalars(query)).all())
    # Read again under the locks: another pass may have told it while this one waited.
    stuck = await _read_recovered(connection, [batch.batch_key for batch in locked])
    recovered = [batch for batch in locked if not batch.has_ended and batch.batch_key in stuck]
    if recovered:
        await write_events(
            connection, [NewEvent(EventType.RECOVERED, batch, batch.read_time) for batch in recovered]
        )
        keys = [batch.batch_key for batch in recovered]
        await connection.execute(
            update(schema.looks).where(_looks.batch_key.in_(keys)).values(stuck_time=None)
        )
    return len(recovered)


async def _read_recovered(connection: AsyncConnection, keys: Sequence[int]) -> set[int]:
    """Return the keys of those locked batches that got a result since they were stuck."""
    query = (
        select(_looks.batch_key)
        .join(schema.batches, _batches.batch_key == _looks.batch_key)
        .where(_looks.batch_key.in_(keys), _has_recovered)
    )
    return set(await connection.scalars(query))
