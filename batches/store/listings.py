"""What is listed: batches, results, repairs. Keyset pages: each page costs the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch, BatchState, Tally
from batches.repair import Repair, Tallies
from batches.result import JobOutcome, RecordedResult, ResultSource
from batches.store import schema
from batches.store.rows import SELECT_BATCH, to_batch

_batches = schema.batches.c

Item = TypeVar("Item")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Key]):
    """Some items, and the key to continue after; None on the last page."""

    items: list[Item]
    next_key: Key | None


async def list_batches(  # noqa: PLR0913  # filters, by keyword only
    connection: AsyncConnection,
    *,
    state: BatchState | None,
    labels: Mapping[str, str],
    prefix: str = "",
    before_key: int | None,
    size: int,
) -> Page[Batch, int]:
    """Return the batches whose ids begin with the prefix, newest first."""
    keys = _with_labels(select(_batches.batch_key), labels).limit(size + 1)
    if state is not None:
        keys = keys.where(_batches.state == int(state))
    if before_key is not None:
        keys = keys.where(_batches.batch_key < before_key)
    keys = _with_prefix(keys, prefix) if prefix else keys.order_by(_batches.batch_key.desc())
    chosen = keys.subquery().c.batch_key
    query = SELECT_BATCH.join(chosen.table, chosen == _batches.batch_key).order_by(_batches.batch_key.desc())
    batches = [to_batch(row) for row in await connection.execute(query)]
    return _page(batches, [batch.batch_key for batch in batches], size)


def _with_prefix(keys: Select[tuple[int]], prefix: str) -> Select[tuple[int]]:
    """Order the keys, newest first, of the batches whose ids begin so, reading no other batch.

    The ids are a range of the index, which holds the keys too. In the order of the plain key MySQL walks
    all batches instead, backwards, hoping to find enough soon: with 100,000 of a caller's batches below
    250,000 newer ones of others that took 175 ms, this 26 ms: a page costs as much as the prefix has batches,
    and nothing that others do. LIKE would read its own signs in an id, and SQLite's knows no case.
    """
    successor = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    ids = _batches.batch_id >= prefix, _batches.batch_id < successor
    return keys.where(*ids).order_by((_batches.batch_key + 0).desc())


def _with_labels(keys: Select[tuple[int]], labels: Mapping[str, str]) -> Select[tuple[int]]:
    for name, value in labels.items():
        label = schema.batch_labels.alias()
        keys = keys.where(
            select(label.c.batch_key)
            .where(
                label.c.batch_key == _batches.batch_key,
                label.c.label_key == name,
                label.c.label_value == value,
                # For MySQL's collations `a` equals `a ` with a space; its bytes do not.
                func.hex(label.c.label_value) == value.encode().hex().upper(),
            )
            .exists()
        )
    return keys


async def list_results(
    connection: AsyncConnection,
    batch_key: int,
    *,
    outcome: JobOutcome | None,
    after_job_id: str | None,
    size: int,
) -> Page[RecordedResult, str]:
    """Return the recorded results of a batch, in ascending byte order of job_id."""
    table = schema.job_results.c
    query = (
        select(schema.job_results).where(table.batch_key == batch_key).order_by(table.job_id).limit(size + 1)
    )
    if outcome is not None:
        query = query.where(table.outcome == int(outcome))
    if after_job_id is not None:
        query = query.where(table.job_id > after_job_id)
    results = [_to_result(row) for row in await connection.execute(query)]
    return _page(results, [result.job_id for result in results], size)


async def list_repairs(
    connection: AsyncConnection, batch_key: int, *, before_key: int | None, size: int
) -> Page[Repair, int]:
    """Return what the reconciler did to a batch, newest first."""
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
    return _page([_to_repair(row) for row in rows], [row.repair_key for row in rows], size)


def _page(items: list[Item], keys: list[Key], size: int) -> Page[Item, Key]:
    """One item more than asked for was read: if it is there, so is a next page."""
    return Page(items[:size], keys[size - 1] if len(items) > size else None)


def _to_result(row: Row[Any]) -> RecordedResult:
    return RecordedResult(
        job_id=row.job_id,
        outcome=JobOutcome(row.outcome),
        attempt=row.attempt,
        error_type=row.error_type or "",
        error_message=row.error_message or "",
        source=ResultSource(row.source),
        record_time=row.record_time,
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
