"""Compares the numbers of every batch with its rows, in snapshots, while the servers run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from batches.batch import TOTAL_JOBS_MAX, Batch, BatchState, Tally
from batches.failure_groups import OTHER_KINDS, GroupCounter
from batches.history import unpack_recent
from batches.result import JobOutcome, ResultSource
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.error_details import count_stale
from batches.store.failure_groups import count_rows as count_failures
from batches.store.failure_groups import read_tallies
from batches.store.history_points import count_moved
from batches.store.row_counts import OnCounted, RowCounts, count_rows, portions
from batches.store.rows import SELECT_WITH_HISTORY, to_batch

PAGE_BATCHES = 100
"""Batches compared in one snapshot: MySQL keeps old versions of rows as long as a snapshot is open."""

PAGE_ROWS = 2_000_000
"""Rows compared in one snapshot, unless a single batch has more."""
SNAPSHOT_SECONDS_MAX = 3_600.0
"""How long a snapshot may be read: many times what the counting of the largest batches takes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A number of a batch that differs from what its rows say."""

    batch_id: str
    name: str
    kept: int
    expected: int


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """The result of checking one snapshot."""

    batches: int
    results: int
    differences: list[Difference]
    """Numbers of batches; nothing sets them right."""
    miscounted: dict[str, list[Difference]]
    """Failure groups and error details, by batch_id: they can be set right from the rows."""
    last_key: int


async def check_page(
    connection: AsyncConnection, *, after_key: int, on_counted: OnCounted
) -> CheckedPage | None:
    """Check the next batches after a key; None if there are none. The connection must read a snapshot."""
    table = schema.batches.c
    query = SELECT_WITH_HISTORY.where(table.batch_key > after_key).order_by(table.batch_key)
    found = await connection.execute(query.limit(PAGE_BATCHES))
    batches = next(portions([to_batch(row, row.recent_history) for row in found], PAGE_ROWS), None)
    if not batches:
        return None
    keys = [batch.batch_key for batch in batches]
    rows, moved = await count_rows(connection, batches, on_counted), await count_moved(connection, keys)
    differences = [
        one
        for batch in batches
        for one in (
            *differences_of(batch, rows[batch.batch_key]),
            *_missing_points(batch, moved.get(batch.batch_key, 0)),
        )
    ]
    results = sum(sum(counts.values()) for counts in rows.values())
    stale = await count_stale(connection, [batch.batch_key for batch in batches])
    repairable = {
        batch.batch_id: [
            *await _check_groups(connection, batch),
            *_check_details(batch, stale.get(batch.batch_key, 0)),
        ]
        for batch in batches
    }
    miscounted = {batch_id: found for batch_id, found in repairable.items() if found}
    return CheckedPage(len(batches), results, differences, miscounted, batches[-1].batch_key)


def _missing_points(batch: Batch, moved: int) -> Iterator[Difference]:
    """Compare how many points of a history have left the row of their batch with those that are elsewhere."""
    kept = unpack_recent(batch.recent_history).moved
    if kept != moved:
        yield Difference(batch.batch_id, "points of the history", kept, moved)


async def _check_groups(connection: AsyncConnection, batch: Batch) -> list[Difference]:
    """Compare the failure groups of a batch with its rows."""
    kept = {one.fingerprint: one.failed_jobs for one in await read_tallies(connection, batch.batch_key)}
    if not kept and not batch.tally.failed:
        return []
    counter = GroupCounter(kept.keys() - {OTHER_KINDS}, own_groups_max=0)
    tallies = await count_failures(connection, batch.batch_key, counter, TOTAL_JOBS_MAX)
    return [
        Difference(batch.batch_id, f"failure group {one.fingerprint or '(others)'}", stored, one.failed_jobs)
        for one in tallies
        for stored in [kept.get(one.fingerprint, 0)]
        if stored != one.failed_jobs
    ]


def _check_details(batch: Batch, stale: int) -> list[Difference]:
    name = "error_details without their failure"
    return [Difference(batch.batch_id, name, stale, 0)] if stale else []


def differences_of(batch: Batch, rows: RowCounts) -> Iterator[Difference]:
    """Yield what differs between the numbers of a batch and its rows. Pure."""
    tally = _tally_of(rows) + batch.unattributed
    reconciled = sum(number for (_, source), number in rows.items() if source is ResultSource.RECONCILER)
    is_completed = batch.state is BatchState.COMPLETED
    must_complete = batch.sealed and batch.pending_jobs == 0 and not batch.has_ended
    beyond_total = batch.total_jobs - batch.announced_jobs if batch.sealed else 0
    for name, kept, expected in (
        ("succeeded_jobs", batch.tally.succeeded, tally.succeeded),
        ("failed_jobs", batch.tally.failed, tally.failed),
        ("skipped_jobs", batch.tally.skipped, tally.skipped),
        ("reconciled_jobs", batch.reconciled_jobs, reconciled + batch.unattributed.ended),
        ("jobs beyond the sealed total", beyond_total, 0),
        ("state", batch.state, BatchState.COMPLETED if must_complete else batch.state),
        ("pending_jobs of a completed batch", batch.pending_jobs if is_completed else 0, 0),
    ):
        if kept != expected:
            yield Difference(batch.batch_id, name, kept, expected)


def _tally_of(rows: RowCounts) -> Tally:
    counts: Counter[JobOutcome] = Counter()
    for (outcome, _), number in rows.items():
        counts[outcome] += number
    return Tally(*(counts[outcome] for outcome in JobOutcome))
