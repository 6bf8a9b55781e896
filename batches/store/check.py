"""Compares every batch's counters with its rows, in snapshots, while the servers run."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch, BatchState, Tally
from batches.result import JobOutcome, ResultSource
from batches.store import schema
from batches.store.rows import SELECT_BATCH, to_batch

PAGE_BATCHES = 100
"""Batches compared in one snapshot: MySQL keeps old versions of rows for as long as a snapshot is open."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A number of a batch that is not what it must be."""

    batch_id: str
    name: str
    kept: int
    expected: int


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """What one snapshot showed."""

    batches: int
    results: int
    differences: list[Difference]
    last_key: int


async def check_page(connection: AsyncConnection, *, after_key: int) -> CheckedPage | None:
    """Compare the next batches after a key; None when there are none. The connection reads a snapshot."""
    table = schema.batches.c
    query = SELECT_BATCH.where(table.batch_key > after_key).order_by(table.batch_key).limit(PAGE_BATCHES)
    batches = [to_batch(row) for row in await connection.execute(query)]
    if not batches:
        return None
    rows = await _count_rows(connection, [batch.batch_key for batch in batches])
    differences = [one for batch in batches for one in differences_of(batch, rows[batch.batch_key])]
    results = sum(sum(counts.values()) for counts in rows.values())
    return CheckedPage(len(batches), results, differences, batches[-1].batch_key)


RowCounts = dict[tuple[JobOutcome, ResultSource], int]


def differences_of(batch: Batch, rows: RowCounts) -> Iterator[Difference]:
    """Yield what is wrong with a batch whose rows were counted by outcome and source. Pure."""
    counted = Tally(
        *(
            sum(number for (one, _), number in rows.items() if one is outcome)
            + batch.unattributed.of(outcome)
            for outcome in JobOutcome
        )
    )
    reconciled = sum(number for (_, source), number in rows.items() if source is ResultSource.RECONCILER)
    must_complete = batch.sealed and batch.pending_jobs == 0 and not batch.has_ended
    for name, kept, expected in (
        ("succeeded_jobs", batch.tally.succeeded, counted.succeeded),
        ("failed_jobs", batch.tally.failed, counted.failed),
        ("skipped_jobs", batch.tally.skipped, counted.skipped),
        ("reconciled_jobs", batch.reconciled_jobs, reconciled + batch.unattributed.ended),
        ("jobs beyond the sealed total", max(0, batch.total_jobs - batch.announced_jobs) * batch.sealed, 0),
        ("state", batch.state, BatchState.COMPLETED if must_complete else batch.state),
        (
            "pending_jobs of a completed batch",
            batch.pending_jobs * (batch.state is BatchState.COMPLETED),
            0,
        ),
    ):
        if kept != expected:
            yield Difference(batch.batch_id, name, kept, expected)


async def _count_rows(connection: AsyncConnection, keys: list[int]) -> dict[int, RowCounts]:
    table = schema.job_results.c
    query = (
        select(table.batch_key, table.outcome, table.source, func.count())
        .where(table.batch_key.in_(keys))
        .group_by(table.batch_key, table.outcome, table.source)
    )
    rows: dict[int, RowCounts] = defaultdict(dict)
    for key, outcome, source, number in await connection.execute(query):
        rows[key][JobOutcome(outcome), ResultSource(source)] = number
    return rows
