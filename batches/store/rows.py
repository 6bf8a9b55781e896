"""Converts batches to rows and back, reads and saves them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, insert, select

from batches.batch import Batch, BatchState, Tally
from batches.errors import BatchNotFound
from batches.failure_limit import CancelReason, FailureLimit
from batches.history import first_points
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.events import write_ends
from batches.store.history_points import keep_points
from batches.store.script import Statement, run_script, to_value
from batches.store.sql_functions import database_now

_table = schema.batches.c

_COLUMNS = [column for column in schema.batches.c if column is not _table.recent_history]
SELECT_BATCH: Select[Any] = select(*_COLUMNS, database_now().label("read_time"))
SELECT_WITH_HISTORY = SELECT_BATCH.add_columns(_table.recent_history)


def to_batch(row: Any, recent_history: bytes | None = None) -> Batch:
    """Return the batch of a row of SELECT_BATCH, or with its recent_history of SELECT_WITH_HISTORY."""
    return Batch(
        batch_key=row.batch_key,
        batch_id=row.batch_id,
        display_name=row.display_name,
        labels=row.labels,
        state=BatchState(row.state),
        sealed=row.sealed,
        announced_jobs=row.announced_jobs,
        tally=Tally(row.succeeded_jobs, row.failed_jobs, row.skipped_jobs),
        unattributed=Tally(
            row.unattributed_succeeded_jobs, row.unattributed_failed_jobs, row.unattributed_skipped_jobs
        ),
        reconciled_jobs=row.reconciled_jobs,
        revision=row.revision,
        results_per_second=row.results_per_second,
        create_time=row.create_time,
        first_result_time=row.first_result_time,
        last_result_time=row.last_result_time,
        complete_time=row.complete_time,
        cancel_reason=None if row.cancel_reason is None else CancelReason(row.cancel_reason),
        failure_limit=to_failure_limit(row.failure_limit_jobs, row.failure_limit_percent),
        recent_history=recent_history,
        read_time=row.read_time,
    )


def to_failure_limit(jobs: int | None, percent: int | None) -> FailureLimit | None:
    """Return the limit in two columns."""
    return None if jobs is None and percent is None else FailureLimit(jobs, percent)


def changing_values(batch: Batch) -> dict[str, Any]:
    """Return the columns that each change of a batch writes."""
    return {
        "state": int(batch.state),
        "sealed": batch.sealed,
        "announced_jobs": batch.announced_jobs,
        "succeeded_jobs": batch.tally.succeeded,
        "failed_jobs": batch.tally.failed,
        "skipped_jobs": batch.tally.skipped,
        "unattributed_succeeded_jobs": batch.unattributed.succeeded,
        "unattributed_failed_jobs": batch.unattributed.failed,
        "unattributed_skipped_jobs": batch.unattributed.skipped,
        "reconciled_jobs": batch.reconciled_jobs,
        "revision": batch.revision,
        "results_per_second": batch.results_per_second,
        "first_result_time": batch.first_result_time,
        "last_result_time": batch.last_result_time,
        "complete_time": batch.complete_time,
    }


async def read_batch(connection: AsyncConnection, batch_id: str) -> Batch:
    """Return one batch.

    Raises:
        BatchNotFound: there is no such batch.

    """
    row = (await connection.execute(SELECT_BATCH.where(_table.batch_id == batch_id))).first()
    if row is None:
        raise BatchNotFound(batch_id)
    return to_batch(row)


async def read_batch_with_history(connection: AsyncConnection, batch_id: str) -> Batch:
    """Return one batch with its recent points.

    Raises:
        BatchNotFound: there is no such batch.

    """
    row = (await connection.execute(SELECT_WITH_HISTORY.where(_table.batch_id == batch_id))).first()
    if row is None:
        raise BatchNotFound(batch_id)
    return to_batch(row, row.recent_history)


async def save_batches(
    connection: AsyncConnection, before: Iterable[Batch], after: Collection[Batch]
) -> None:
    """Save what changed of locked batches, keep their histories, and write the events of those that end.

    Args:
        connection: The transaction, which holds the locks.
        before: The batches as they were locked, and possibly others that did not change.
        after: The batches that changed.

    """
    if after:
        await run_script(connection, await saving(connection, before, after))


async def saving(
    connection: AsyncConnection, before: Iterable[Batch], after: Collection[Batch]
) -> list[Statement]:
    """Return the statements that save what `save_batches` saves, which writes everything else.

    No other statement changes the state of a batch.
    """
    as_locked = {batch.batch_key: batch for batch in before}
    recent = await keep_points(connection, as_locked.values(), after)
    await write_ends(connection, after)
    return [_saving(as_locked[one.batch_key], one, recent.get(one.batch_key)) for one in after]


def _saving(before: Batch, batch: Batch, recent_history: bytes | None) -> Statement:
    """Return the statement that saves the columns of a locked batch that have changed: usually a few."""
    old = changing_values(before)
    values = {column: new for column, new in changing_values(batch).items() if new != old[column]}
    if batch.cancel_reason:
        values["cancel_reason"] = int(batch.cancel_reason)
    if recent_history is not None:
        values["recent_history"] = recent_history
    columns = ", ".join([f"{column} = %s" for column in values])
    update = f"UPDATE batches SET {columns} WHERE batch_key = %s"  # noqa: S608  # the names of columns
    return Statement(update, [*map(to_value, values.values()), batch.batch_key])


async def insert_batch(
    connection: AsyncConnection, batch: Batch, request_id: str | None = None, notify_url: str | None = None
) -> int:
    """Insert a batch with its labels and its URL, write its end if it has no jobs, and return its key."""
    limit = batch.failure_limit or FailureLimit()
    values = {
        "batch_id": batch.batch_id,
        "display_name": batch.display_name,
        "labels": dict(batch.labels),
        "created_total_jobs": batch.announced_jobs,
        "created_sealed": batch.sealed,
        "create_time": batch.create_time,
        "request_id": request_id,
        "failure_limit_jobs": limit.jobs,
        "failure_limit_percent": limit.percent,
        "recent_history": first_points(batch),
        **changing_values(batch),
    }
    inserted = await connection.execute(insert(schema.batches).values(values))
    (key,) = inserted.inserted_primary_key or (None,)
    assert isinstance(key, int)  # noqa: S101  # every engine returns a generated key
    await _insert_labels(connection, key, batch.labels)
    if notify_url is not None:
        await connection.execute(insert(schema.notify_urls).values(batch_key=key, url=notify_url))
    await write_ends(connection, [replace(batch, batch_key=key)])
    return key


async def _insert_labels(connection: AsyncConnection, key: int, labels: Mapping[str, str]) -> None:
    if labels:
        rows = [{"label_key": name, "label_value": value, "batch_key": key} for name, value in labels.items()]
        await connection.execute(insert(schema.batch_labels), rows)
