"""Counts the results of batches by outcome and source, a bounded number of them with each statement."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

from sqlalchemy import ColumnElement, func, select

from batches.batch import Batch
from batches.result import JobOutcome, ResultSource
from batches.store import schema
from batches.store.connections import AsyncConnection

RANGE_ROWS = 200_000
"""Rows that one statement counts: two seconds where a database reads 100,000 a second, of the ten that a
statement may take."""

RowCounts = Mapping[tuple[JobOutcome, ResultSource], int]
"""The number of a batch's rows, by outcome and source."""
_Counters = dict[int, Counter[tuple[JobOutcome, ResultSource]]]
OnCounted = Callable[[int], None]
"""Receives how many rows a statement has counted."""

_table = schema.job_results.c


async def count_rows(
    connection: AsyncConnection, batches: Iterable[Batch], on_counted: OnCounted
) -> Mapping[int, RowCounts]:
    """Return the counts of batches by batch_key: of small ones together, of large ones range by range."""
    counts: _Counters = defaultdict(Counter)
    for some in portions(batches, RANGE_ROWS):
        if len(some) > 1:
            await _add(connection, _table.batch_key.in_([one.batch_key for one in some]), counts, on_counted)
        else:
            async for rows in _ranges(connection, some[0].batch_key):
                await _add(connection, rows, counts, on_counted)
    return counts


def portions(batches: Iterable[Batch], rows_max: int) -> Iterator[list[Batch]]:
    """Yield batches that have at most so many rows together by their own numbers; one with more by itself."""
    some: list[Batch] = []
    rows = 0
    for batch in batches:
        own = (batch.tally - batch.unattributed).ended
        if some and rows + own > rows_max:
            yield some
            some, rows = [], 0
        some.append(batch)
        rows += own
    if some:
        yield some


async def _ranges(connection: AsyncConnection, key: int) -> AsyncIterator[ColumnElement[bool]]:
    """Yield the conditions for the ranges of a batch's rows, in the order of their job ids."""
    after = ""
    while True:
        rows = (_table.batch_key == key) & (_table.job_id > after)
        query = select(_table.job_id).where(rows).order_by(_table.job_id).offset(RANGE_ROWS - 1).limit(1)
        last = await connection.scalar(query)
        if last is None:
            yield rows
            return
        yield rows & (_table.job_id <= last)
        after = last


async def _add(
    connection: AsyncConnection,
    rows: ColumnElement[bool],
    counts: _Counters,
    on_counted: OnCounted,
) -> None:
    """Count the rows that match a condition."""
    query = (
        select(_table.batch_key, _table.outcome, _table.source, func.count())
        .where(rows)
        .group_by(_table.batch_key, _table.outcome, _table.source)
    )
    for key, outcome, source, number in (await connection.execute(query)).all():
        counts[key][JobOutcome(outcome), ResultSource(source)] += number
        on_counted(number)
