"""Steps of the store's tests."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from batches.batch import Batch
from batches.errors import BatchError
from batches.listing import ResultFilter
from batches.new_batch import NewBatch
from batches.result import Disposition, JobResult, RecordedResult, ResultSource
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.check import Difference
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.rows import changing_values
from database_servers import ENGINES
from tests.support.samples import BATCH, WORKER

on_servers = pytest.mark.parametrize("database_engine", ENGINES, indirect=True)
"""For rules that do not apply to SQLite."""
on_sqlite = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
on_mysql = pytest.mark.parametrize("database_engine", ["mysql"], indirect=True)
on_mariadb = pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True)

WAIT_SECONDS_MAX = 20.0
"""Far above any time that is waited for, even on a loaded machine."""
POLL_SECONDS = 0.01

RECORDED, DUPLICATE, SUPERSEDED_EARLIER, STALE = Disposition


async def create(
    store: BatchStore, total_jobs: int, batch_id: str = "batch", *, sealed: bool = True, **labels: str
) -> Batch:
    """Create a batch."""
    return await store.create_batch(NewBatch(batch_id, total_jobs, sealed, labels=labels))


async def report(
    store: BatchStore, *results: JobResult, source: ResultSource = WORKER
) -> list[Disposition | type[BatchError]]:
    """Record results; return the verdicts, errors as their class."""
    recording = await store.record_results(results, source)
    return [one if isinstance(one, Disposition) else type(one) for one in recording.verdicts]


async def recorded(store: BatchStore, batch_id: str = "batch") -> dict[str, RecordedResult]:
    """Return all recorded results of a batch by job_id, in the order of the list."""
    page = await store.list_results(batch_id, ResultFilter(), after_job_id=None, size=100_000)
    assert page.next_key is None
    return {result.job_id: result for result in page.items}


async def differences(store: BatchStore) -> list[Difference]:
    """Return the differences that the check finds in all batches, those of failure groups last."""
    pages = [page async for page in store.check()]
    found = [one for page in pages for one in page.differences]
    return found + [one for page in pages for groups in page.miscounted.values() for one in groups]


async def execute(database: Database, statement: str, **parameters: object) -> None:
    """Run a statement in a transaction."""
    await database.write(lambda connection: connection.execute(text(statement), parameters))


async def scalar(database: Database, statement: str, **parameters: object) -> Any:
    """Return the single value of a query."""
    return await database.read(lambda connection: connection.scalar(text(statement), parameters))


async def count_rows(database: Database) -> dict[str, int]:
    """Return the number of rows of each table that is not empty."""
    tables = schema.metadata.tables.keys() - {schema.schema_programs.name}
    counts = {name: await scalar(database, f"SELECT COUNT(*) FROM {name}") for name in tables}  # noqa: S608
    return {name: number for name, number in counts.items() if number}


async def insert_batches(database: Database, batch_ids: Iterable[str], **columns: object) -> None:
    """Insert batches in one statement: creating them one by one takes a thousand times as long."""
    rows: list[Mapping[str, object]] = [
        {
            "batch_id": batch_id,
            "display_name": "",
            "labels": {},
            "created_total_jobs": BATCH.announced_jobs,
            "created_sealed": BATCH.sealed,
            "create_time": BATCH.create_time,
            **changing_values(BATCH),
            **columns,
        }
        for batch_id in batch_ids
    ]
    await database.write(lambda connection: connection.execute(insert(schema.batches), rows))


async def wait_until(condition: Callable[[], Awaitable[bool]], poll_seconds: float = POLL_SECONDS) -> None:
    """Return as soon as the condition holds; fail if it never does."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        await asyncio.sleep(poll_seconds)


async def wait_until_blocked(database: Database, number: int = 1) -> None:
    """Return when this many transactions of the server wait for a lock."""
    # Not information_schema.innodb_trx: MySQL cannot show a statement with binary values there.
    query = text("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")

    async def are_blocked() -> bool:
        async with database.engine.connect() as connection:
            return int((await connection.execute(query)).one()[1]) >= number

    await wait_until(are_blocked)


async def wait_until_returned(database: Database) -> None:
    """Return when no connection of the pool is in use."""

    async def are_returned() -> bool:
        return connections_in_use(database) == 0

    await wait_until(are_returned)


async def select_one(connection: AsyncConnection) -> None:
    """Run one statement that changes nothing."""
    await connection.execute(text("SELECT 1"))


async def open_connections(database: Database, number: int) -> None:
    """Open this many connections of the pool: transactions that wait for each other need them all."""
    all_here = asyncio.Barrier(number)

    async def work(connection: AsyncConnection) -> None:
        await select_one(connection)
        await all_here.wait()

    await asyncio.gather(*(database.read(work) for _ in range(number)))


def connections_in_use(database: Database) -> int:
    """Return the number of connections that are not in the pool."""
    in_use: int = database.engine.sync_engine.pool.checkedout()  # type: ignore[attr-defined]  # queue pools have it
    return in_use


async def rows_read(connection: AsyncConnection) -> int:
    """Return the number of rows of tables and indexes that this connection has read so far."""
    counters = await connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return sum(int(number) for _, number in counters)


async def update_statistics(database: Database) -> None:
    """Update the optimizer's statistics, as servers do at times of their own: plans may differ after that."""
    if database.engine.dialect.name != "sqlite":
        await execute(database, "ANALYZE TABLE batches, batch_labels")


async def insert_row(connection: AsyncConnection, name: str) -> None:
    """Insert a row with this name into a table that the test does not use otherwise."""
    statement = (
        "INSERT INTO leases (name, holder, expire_time) VALUES (:name, '', '2000-01-01 00:00:00.000000')"
    )
    await connection.execute(text(statement), {"name": name})


async def lock_row(connection: AsyncConnection, name: str) -> None:
    """Lock a row by changing it."""
    await connection.execute(text("UPDATE leases SET holder = 'x' WHERE name = :name"), {"name": name})


async def row_names(connection: AsyncConnection) -> list[str]:
    """Return the names of the inserted rows."""
    return list((await connection.scalars(text("SELECT name FROM leases ORDER BY name"))).all())


def ago(seconds: float) -> datetime:
    """Return a past time. The servers of the tests have the clock of this machine."""
    return datetime.now(UTC) - timedelta(seconds=seconds)
