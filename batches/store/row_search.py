"""Searches batches by what only their rows tell, newest first, in a bounded number of rows a page.

A page that finds too few in the rows that it may search is short, and the next page goes on there.
"""

from sqlalchemy import ColumnElement, Select, func, literal, select

from batches.listing import BatchFilter
from batches.store import schema
from batches.store.batch_conditions import (
    SQL,
    Condition,
    conditions_of,
    in_state,
    label_bytes,
    meets,
    parameters_of,
)
from batches.store.connections import AsyncConnection
from batches.store.key_range import KeyRange, last_key_of
from batches.store.label_search import MeasuredKey

SEARCHED_MAX = 2_000
"""Rows that a page searches: some 5 ms of the database's time."""
SORTED_MAX = 20_000
"""Batches with a prefix that are sorted for a page, in some 5 ms. If more begin with it, they are common
enough to be found among all others."""

_batch = schema.batches.c


async def may_sort_prefix(connection: AsyncConnection, selected: BatchFilter) -> bool:
    """Return whether all batches with the prefix may be read and sorted for a page.

    Those of a caller's own prefix always are: other batches must not show in the length of its pages.
    """
    if not selected.id_prefix or selected.hides_others:
        return bool(selected.id_prefix)
    return not await _more_have_prefix(connection, selected, SORTED_MAX)


async def have_many_prefix(connection: AsyncConnection, selected: BatchFilter) -> bool:
    """Return whether more batches have the prefix than a page searches."""
    return await _more_have_prefix(connection, selected, SEARCHED_MAX)


async def _more_have_prefix(connection: AsyncConnection, selected: BatchFilter, number: int) -> bool:
    with_prefix = select(literal(1)).select_from(schema.batches).where(SQL[Condition.PREFIX])
    return await connection.scalar(with_prefix.limit(1).offset(number), parameters_of(selected)) is not None


async def search_rows(
    connection: AsyncConnection, selected: BatchFilter, keys: KeyRange, size: int, *, sorts_prefix: bool
) -> tuple[list[MeasuredKey], int | None]:
    """Find batches by any part of a filter but labels, as `search_labels` does."""
    searched = _searched(selected, keys, sorts_prefix=sorts_prefix).limit(SEARCHED_MAX)
    key = searched.subquery().c.batch_key
    matching = select(key, label_bytes(key)).where(meets(key, conditions_of(selected)))
    found = await connection.execute(matching.order_by(key.desc()).limit(size), parameters_of(selected))
    measured = [(found_key, label_size) for found_key, label_size in found]
    if len(measured) == size:
        return measured, None
    return measured, await _last_key(connection, searched, selected, keys)


async def count_rows(
    connection: AsyncConnection, selected: BatchFilter, keys: KeyRange, *, sorts_prefix: bool
) -> int | None:
    """Count the batches that a filter without labels selects; None if more would have to be searched."""
    searched = _searched(selected, keys, sorts_prefix=sorts_prefix).limit(SEARCHED_MAX)
    if await _last_key(connection, searched, selected, keys) is not None:
        return None
    key = searched.subquery().c.batch_key
    matching = select(func.count()).select_from(key.table).where(meets(key, conditions_of(selected)))
    return await connection.scalar(matching, parameters_of(selected))


def _searched(selected: BatchFilter, keys: KeyRange, *, sorts_prefix: bool) -> Select[int]:
    """Select the keys of the smallest part of the batches that an index has, newest first."""
    key: ColumnElement[int] = _batch.batch_key
    query = select(_batch.batch_key)
    if sorts_prefix:
        key = key + 0  # by the plain key, databases would walk all batches, not those with the prefix
        query = query.where(SQL[Condition.PREFIX])
    else:
        # Among some ten thousand batches, MySQL would rather sort the whole of a smaller index.
        by_key = query.with_hint(schema.batches, "FORCE INDEX (PRIMARY)", "mysql")
        query = by_key if selected.searched_state is None else in_state(query)
    # A range with both ends would lead MySQL to another index, which it reads as a whole.
    return query.where(key < keys.end).order_by(key.desc())


async def _last_key(
    connection: AsyncConnection, searched: Select[int], selected: BatchFilter, keys: KeyRange
) -> int | None:
    """Return the last key that was searched; None if all were."""
    key = await connection.scalar(last_key_of(searched, SEARCHED_MAX - 1), parameters_of(selected))
    return key if key is not None and key > keys.begin else None
