"""Lists batches, results and repairs in keyset pages, each of which costs the same."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select

from batches.batch import Batch, BatchState, Tally
from batches.listing import BatchFilter, Item, Key, Page, ResultFilter
from batches.repair import Repair, Tallies
from batches.result import JobOutcome, RecordedResult, ResultSource
from batches.store import schema
from batches.store.batch_conditions import (
    ABOVE_ALL_ID_CHARACTERS,
    SQL,
    Condition,
    in_state,
    parameters_of,
)
from batches.store.connections import AsyncConnection
from batches.store.key_range import KeyRange, read_key_range
from batches.store.label_search import MeasuredKey, search_labels
from batches.store.row_search import count_rows, have_many_prefix, may_sort_prefix, search_rows
from batches.store.rows import SELECT_BATCH, to_batch

_batches = schema.batches.c
_results = schema.job_results.c

RESULTS_SEARCHED_MAX = 10_000
"""Failures searched for one page of a failure group: some fifty milliseconds of the database's time."""
COUNTED_MAX = 10_000
"""The count of the selected batches stops here: the contract's limit, which an index answers in 2 ms."""
PAGE_LABEL_BYTES_MAX = 2**20
"""The labels on a page of batches, and those of one more batch: 1,000 batches with a dozen labels each. To
decode and encode them takes some 10 ms, during which nothing else is answered."""

_PAGE_OF_BATCHES = SELECT_BATCH.where(_batches.batch_key.in_(bindparam("keys", expanding=True))).order_by(
    _batches.batch_key.desc()
)


async def list_batches(
    connection: AsyncConnection, *, selected: BatchFilter, before_key: int | None, size: int
) -> Page[Batch, int]:
    """Return a page of the selected batches, newest first; it is shorter if their labels are large."""
    size = min(size, _largest_page(selected))
    keys = await read_key_range(connection, selected, before_key)
    found, searched_to = await _find(connection, selected, keys, size + 1)
    if not found:
        return Page([], searched_to)
    on_page = _that_fit(found[:size])
    batches = [to_batch(row) for row in await connection.execute(_PAGE_OF_BATCHES, {"keys": on_page})]
    next_key = on_page[-1] if len(on_page) < len(found) else searched_to
    return Page([batch for batch in batches if selected.still_selects(batch)], next_key)


async def count_batches(connection: AsyncConnection, selected: BatchFilter) -> int | None:
    """Count the selected batches up to COUNTED_MAX; None if too many others would have to be searched."""
    keys = await read_key_range(connection, selected, None)
    sorts_prefix = await _counts_with_prefix(connection, selected)
    if selected.labels:
        found, searched_to = await search_labels(
            connection, selected, keys, COUNTED_MAX, sorts_prefix=sorts_prefix
        )
        return len(found) if searched_to is None else None
    if selected.needs_rows or (selected.id_prefix and not sorts_prefix):
        return await count_rows(connection, selected, keys, sorts_prefix=sorts_prefix)
    counted = _selected_keys(selected, keys).order_by(None).limit(COUNTED_MAX).subquery()
    query = select(func.count()).select_from(counted)
    return await connection.scalar(query, parameters_of(selected))


async def _counts_with_prefix(connection: AsyncConnection, selected: BatchFilter) -> bool:
    """Return whether batches are counted among all with the prefix, which have to be sorted for that.

    If more have it than are searched, and those of all times are meant, they are not counted.
    """
    if not await may_sort_prefix(connection, selected):
        return False
    counts_by_index = not (selected.labels or selected.needs_rows)
    if counts_by_index or selected.has_times:
        return True
    return not await have_many_prefix(connection, selected)


async def _find(
    connection: AsyncConnection, selected: BatchFilter, keys: KeyRange, size: int
) -> tuple[list[MeasuredKey], int | None]:
    """Find batches, newest first, and the key below which none was searched; None if that is not known.

    If many have the prefix, the newest batches are searched for them first: most of these pages are full, or
    all batches in a state are searched. All batches with the prefix are sorted only if that was not enough.
    """
    if not selected.id_prefix:
        return await _search(connection, selected, keys, size, sorts_prefix=False)
    if await have_many_prefix(connection, selected):
        found, searched_to = await _search(connection, selected, keys, size, sorts_prefix=False)
        if searched_to is None or not await may_sort_prefix(connection, selected):
            return found, searched_to
    return await _search(connection, selected, keys, size, sorts_prefix=True)


async def _search(
    connection: AsyncConnection, selected: BatchFilter, keys: KeyRange, size: int, *, sorts_prefix: bool
) -> tuple[list[MeasuredKey], int | None]:
    if selected.labels:
        return await search_labels(connection, selected, keys, size, sorts_prefix=sorts_prefix)
    if selected.needs_rows or (selected.id_prefix and not sorts_prefix):
        return await search_rows(connection, selected, keys, size, sorts_prefix=sorts_prefix)
    chosen = _selected_keys(selected, keys).limit(size).subquery().c.batch_key
    measured = (
        select(_batches.batch_key, func.length(_batches.labels))
        .join(chosen.table, chosen == _batches.batch_key)
        .order_by(_batches.batch_key.desc())
    )
    rows = await connection.execute(measured, parameters_of(selected))
    return [(key, label_bytes) for key, label_bytes in rows], None


def _selected_keys(selected: BatchFilter, keys: KeyRange) -> Select[tuple[int]]:
    """Select the keys of batches by state and prefix, newest first."""
    query = select(_batches.batch_key).where(_batches.batch_key < keys.end)
    if selected.id_prefix:
        in_any = query if selected.state is None else query.where(SQL[Condition.STATE])
        return _with_prefix(in_any)
    if selected.state is not None:
        query = in_state(query)
    return query.order_by(_batches.batch_key.desc())


def _largest_page(selected: BatchFilter) -> int:
    """Return how many batches with the labels fit a page at most: each of them has at least these labels."""
    label_bytes = sum(len(text.encode()) for label in selected.labels.items() for text in label)
    return 1 + PAGE_LABEL_BYTES_MAX // max(1, label_bytes)


def _that_fit(found: Sequence[MeasuredKey]) -> list[int]:
    """Return the keys of the first batches, given with the sizes of their labels, whose labels fit a page."""
    sizes = accumulate((label_bytes for _, label_bytes in found), initial=0)
    return [key for (key, _), before in zip(found, sizes, strict=False) if before < PAGE_LABEL_BYTES_MAX]


def _with_prefix(keys: Select[tuple[int]]) -> Select[tuple[int]]:
    """Select the keys, newest first, of the batches whose ids begin with the prefix, reading no others.

    These ids are a range of the index on batch_id, which contains the keys too. If the order were that of
    the plain key, MySQL would walk all batches backwards instead, hoping to find enough of them soon: with
    100,000 batches of a caller below 250,000 newer ones of others that took 175 ms, this takes 26 ms. The
    cost of a page depends on the number of batches with the prefix alone.
    """
    return keys.where(SQL[Condition.PREFIX]).order_by((_batches.batch_key + 0).desc())


async def list_results(
    connection: AsyncConnection,
    batch_key: int,
    *,
    selected: ResultFilter,
    after_job_id: str | None,
    size: int,
) -> Page[RecordedResult, str]:
    """Return a page of a batch's results, in ascending byte order of job_id."""
    if selected.fingerprint is not None:
        return await _search_results(connection, batch_key, selected, after_job_id, size)
    query = _in_order(select(schema.job_results), batch_key, selected, after_job_id).limit(size + 1)
    results = [to_result(row) for row in await connection.execute(query)]
    return page_of(results, [result.job_id for result in results], size)


async def _search_results(
    connection: AsyncConnection,
    batch_key: int,
    selected: ResultFilter,
    after_job_id: str | None,
    size: int,
) -> Page[RecordedResult, str]:
    """Return a page of the failures with a fingerprint among the next failures.

    No index has the fingerprint, since one on the largest table would cost every report. So a page searches a
    bounded number of failures, and may be short and still have a successor.
    """
    failures = replace(selected, outcome=selected.outcome or JobOutcome.FAILED)
    searched = _in_order(select(_results.job_id), batch_key, failures, after_job_id).limit(
        RESULTS_SEARCHED_MAX
    )
    sought = searched.subquery().c.job_id
    query = (
        select(schema.job_results)
        .join(sought.table, (_results.batch_key == batch_key) & (_results.job_id == sought))
        .where(_results.error_kind == selected.fingerprint)
        .order_by(_results.job_id)
        .limit(size + 1)
    )
    results = [to_result(row) for row in await connection.execute(query)]
    if len(results) > size:
        return page_of(results, [result.job_id for result in results], size)
    last = await connection.scalar(searched.offset(RESULTS_SEARCHED_MAX - 1).limit(1))
    return Page(results, last)


def _in_order(
    query: Select[Any], batch_key: int, selected: ResultFilter, after_job_id: str | None
) -> Select[Any]:
    query = query.where(_results.batch_key == batch_key).order_by(_results.job_id)
    if selected.outcome is not None:
        query = query.where(_results.outcome == int(selected.outcome))
    if prefix := selected.job_id_prefix:
        query = query.where(_results.job_id >= prefix, _results.job_id < prefix + ABOVE_ALL_ID_CHARACTERS)
    if after_job_id is not None:
        query = query.where(_results.job_id > after_job_id)
    return query


async def list_repairs(
    connection: AsyncConnection, batch_key: int, *, before_key: int | None, size: int
) -> Page[Repair, int]:
    """Return a page of a batch's repairs, newest first."""
    table = schema.repairs.c
    query = (
        select(schema.repairs)
        .where(table.batch_key == batch_key)
        .order_by(table.repair_key.desc())
        .limit(size + 1)
    )
    if before_key is not None:
        query = query.where(table.repair_key < before_key)
    rows = (await connection.execute(query)).all()
    return page_of([_to_repair(row) for row in rows], [row.repair_key for row in rows], size)


def page_of(items: list[Item], keys: list[Key], size: int) -> Page[Item, Key]:
    """Return a page; one item more than its size was read, which tells whether another page follows."""
    return Page(items[:size], keys[size - 1] if len(items) > size else None)


def to_result(row: Row[Any], error_details: str | None = None) -> RecordedResult:
    """Return the result of a row of job_results."""
    return RecordedResult(
        job_id=row.job_id,
        outcome=JobOutcome(row.outcome),
        attempt=row.attempt,
        error_type=row.error_type or "",
        error_message=row.error_message or "",
        source=ResultSource(row.source),
        record_time=row.record_time,
        display_name=row.display_name or "",
        error_details=error_details or "",
    )


def _to_repair(row: Row[Any]) -> Repair:
    return Repair(
        before=Tallies(
            BatchState(row.state_before),
            row.total_jobs_before,
            Tally(row.succeeded_jobs_before, row.failed_jobs_before, row.skipped_jobs_before),
        ),
        after=Tallies(
            BatchState(row.state_after),
            row.total_jobs_after,
            Tally(row.succeeded_jobs_after, row.failed_jobs_after, row.skipped_jobs_after),
        ),
        reason=row.reason,
        repair_time=row.repair_time,
    )
