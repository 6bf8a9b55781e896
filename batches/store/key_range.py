"""The keys that the batches of a time can have, so that a search for them skips all others.

No index has the time of creation. Keys ascend with it, except where the clock of the database was set back,
so a binary search finds them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, Select, bindparam, func, select

from batches.listing import BatchFilter
from batches.store import schema
from batches.store.connections import AsyncConnection

SET_BACK_MAX = timedelta(hours=1)
"""How far a clock may have been set back without batches being missed: an hour, for a server whose clock is
changed in autumn. So much more than the time that was asked for is searched."""
KEYS_END = 2**63 - 1
"""The largest BIGINT, above every key."""

_batch = schema.batches.c
# Two queries in one: SQLite reads every row for two aggregates of a query.
_ENDS = select(
    select(func.min(_batch.batch_key)).scalar_subquery(), select(func.max(_batch.batch_key)).scalar_subquery()
)
_NEXT = (
    select(_batch.batch_key, _batch.create_time)
    .where(_batch.batch_key >= bindparam("key"))
    .order_by(_batch.batch_key)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys from the first to the last but one."""

    begin: int = 0
    end: int = KEYS_END


async def read_key_range(
    connection: AsyncConnection, selected: BatchFilter, before_key: int | None
) -> KeyRange:
    """Return the keys in which the selected batches are.

    Args:
        connection: The connection to read with.
        selected: The batches.
        before_key: Only smaller keys; None for all.

    """
    end = KEYS_END if before_key is None else before_key
    if not selected.has_times:
        return KeyRange(end=end)
    oldest, newest = (await connection.execute(_ENDS)).one()
    every = KeyRange(oldest or 0, min(end, (newest or 0) + 1))
    begin = every.begin
    if selected.created_from is not None:
        begin = await _first_key(connection, selected.created_from - SET_BACK_MAX, every)
    if selected.created_before is not None:
        end = await _first_key(connection, selected.created_before + SET_BACK_MAX, every)
    return KeyRange(begin, min(end, every.end))


def last_key_of(searched: Select[int], before_last: int | BindParameter[int]) -> Select[int]:
    """Select the last key that a bounded search reads; nothing if there are no more than it reads.

    Args:
        searched: The keys that it would read without a bound, in its order.
        before_last: How many keys it reads before the last.

    """
    return searched.limit(1).offset(before_last)


async def _first_key(connection: AsyncConnection, time: datetime, keys: KeyRange) -> int:
    """Return the first key of the range whose batch was created at a time or later; its end if none was."""
    begin, end = keys.begin, keys.end
    while begin < end:
        middle = (begin + end) // 2
        row = (await connection.execute(_NEXT, {"key": middle})).first()
        if row is None or row.create_time >= time:
            end = middle
        else:
            begin = row.batch_key + 1
    return min(begin, keys.end)
