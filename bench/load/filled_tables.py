"""Fills our tables with millions of rows inside MySQL, as servers would have left them.

One batch is generated, then all batches are copied inside the database again and again, which
doubles their number each time: a million rows take seconds instead of a minute.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, func, insert, select, text

from batches.batch import BatchState
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.database import Database

ROWS_PER_STATEMENT = 500_000
"""Copied in one transaction, which takes a few seconds and a small undo log."""
FIRST_KEY = 1

_FIRST_RESULTS = text(
    f"INSERT INTO {schema.job_results.name} (batch_key, job_id, attempt, outcome, source, record_time)"  # noqa: S608
    " WITH RECURSIVE numbers (number) AS"
    " (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < :jobs)"
    f" SELECT {FIRST_KEY}, CONCAT('job-', LPAD(number, 7, '0')), 1, 1, 1, :now FROM numbers"
    " WHERE :every = 0 OR number % :every <> 0"
)
"""Outcome SUCCEEDED and source WORKER are both 1 in the schema."""


def batch_id_of(key: int) -> str:
    """Return the id of the batch with this key; keys start at 1."""
    return f"batch-{key}"


def job_id_of(number: int) -> str:
    """Return the id of the job with this number in its batch; numbers start at 0."""
    return f"job-{number:07}"


async def fill(database: Database, *, batches: int, jobs: int, unreported_every: int = 0) -> None:
    """Add batches to new tables.

    Args:
        database: A database with our tables, all empty.
        batches: The number of batches.
        jobs: The number of jobs in each batch.
        unreported_every: Leave out the results of jobs whose number this divides; 0 leaves out none.

    """
    await _make_first(database, jobs, unreported_every)
    made = 1
    while made < batches:
        more = min(made, batches - made, max(1, ROWS_PER_STATEMENT // jobs))
        async with _connection(database) as connection:
            await connection.execute(_copy(schema.batches, made, more))
            await connection.execute(_copy(schema.job_results, made, more))
        made += more


async def _make_first(database: Database, jobs: int, unreported_every: int) -> None:
    reported = jobs - (-(-jobs // unreported_every) if unreported_every else 0)
    now = datetime.now(UTC)
    async with _connection(database) as connection:
        await connection.execute(text(f"SET SESSION cte_max_recursion_depth = {jobs}"))
        await connection.execute(
            _FIRST_RESULTS, {"jobs": jobs, "every": unreported_every, "now": now.replace(tzinfo=None)}
        )
        await connection.execute(insert(schema.batches), _batch(jobs, reported, now))


def _batch(jobs: int, reported: int, now: datetime) -> dict[str, Any]:
    is_complete = reported == jobs
    state = BatchState.COMPLETED if is_complete else BatchState.PROCESSING
    counters = (one for one in schema.batches.c if one.name.endswith("_jobs") and not one.nullable)
    numbers = {counter.name: 0 for counter in counters}
    return {
        **numbers,
        "batch_key": FIRST_KEY,
        "batch_id": batch_id_of(FIRST_KEY),
        "display_name": "",
        "labels": {},
        "created_total_jobs": jobs,
        "created_sealed": True,
        "state": int(state),
        "sealed": True,
        "announced_jobs": jobs,
        "succeeded_jobs": reported,
        "revision": 2,
        "results_per_second": 0.0,
        "create_time": now,
        "first_result_time": now,
        "last_result_time": now,
        "complete_time": now if is_complete else None,
    }


@asynccontextmanager
async def _connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction that is not in the binary log, since filling is not measured."""
    async with database.migration() as connection:
        await connection.execute(text("SET SESSION sql_log_bin = 0"))
        yield connection


def _copy(table: Table, shift: int, batches: int) -> Insert:
    """Copy the first batches, with their keys shifted."""
    key = table.c.batch_key + shift
    changed: dict[str, ColumnElement[Any]] = {"batch_key": key}
    if table is schema.batches:
        changed["batch_id"] = func.concat("batch-", key)
    values = {column.name: changed.get(column.name, column) for column in table.c}
    rows = select(*values.values()).where(table.c.batch_key < FIRST_KEY + batches)
    return insert(table).from_select(list(values), rows)
