"""python -m bench.retention: measure how fast old batches are deleted, beside a plain DELETE of as many rows.

Starts MySQL with durable settings. The reconciler's own purge runs once as in a pass, with its pauses, and
once without them; the plain DELETE deletes the same results in chunks of the same size.
"""

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import typer
from sqlalchemy import text

from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.deletion import CHUNK_ROWS
from bench.load.filled_tables import fill
from bench.load.operating_system import cpu_seconds
from bench.measure.stores import MysqlServer, mysql, with_tables
from reconciler.run.deadline import Deadline
from reconciler.run.purge import purge_ended

DEADLINE_SECONDS = 3_600.0
_PLAIN = text(f"DELETE FROM {schema.job_results.name} ORDER BY batch_key, job_id LIMIT {CHUNK_ROWS}")  # noqa: S608

Delete = Callable[[Database], Awaitable[None]]


def main(batches: int = 2_000, jobs: int = 50, rounds: int = 3) -> None:
    """Print the rows per second of each way."""
    asyncio.run(_measure(batches, jobs, rounds))


async def _measure(batches: int, jobs: int, rounds: int) -> None:
    ways: dict[str, Delete] = {
        "plain DELETE": _delete_plainly,
        "purge without its pauses": _purge_without_pauses,
        "purge of a pass": _purge,
    }
    async with mysql() as server:
        for _ in range(rounds):
            for name, delete in ways.items():
                seconds, cpu = await _time(server, batches, jobs, delete)
                print(  # noqa: T201  # the command's output
                    f"{batches:,} × {jobs:,} jobs, {name}: {batches * jobs / seconds:,.0f} rows/s,"
                    f" {batches / seconds:,.0f} batches/s, {1e6 * cpu / batches / jobs:.1f} µs of CPU a row",
                    flush=True,
                )


async def _time(server: MysqlServer, batches: int, jobs: int, delete: Delete) -> tuple[float, float]:
    """Return the seconds that a deletion takes, and the CPU seconds of MySQL and this process."""
    async with server.database("retention") as url, with_tables(url) as database:
        await fill(database, batches=batches, jobs=jobs)
        pids = [*server.pids, os.getpid()]
        start, cpu = time.perf_counter(), cpu_seconds(pids)
        await delete(database)
        seconds, cpu = time.perf_counter() - start, cpu_seconds(pids) - cpu
        assert await _rows_left(database) == 0  # a measurement of something else is worthless
        return seconds, cpu


async def _delete_plainly(database: Database) -> None:
    while True:
        async with database.engine.begin() as connection:
            if not (await connection.execute(_PLAIN)).rowcount:
                return


async def _purge(database: Database) -> None:
    deadline = Deadline(DEADLINE_SECONDS)
    await purge_ended(BatchStore(database), deadline, _later(), seconds_max=math.inf)
    deadline.close()


async def _purge_without_pauses(database: Database) -> None:
    store = BatchStore(database)
    while await store.purge_ended(_later()):
        pass
    while await store.delete_chunk():
        pass


def _later() -> datetime:
    """Return a time before which all batches have ended."""
    return datetime.now(UTC) + timedelta(days=1)


async def _rows_left(database: Database) -> int:
    async with database.engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT COUNT(*) FROM {schema.job_results.name}")) or 0)  # noqa: S608


if __name__ == "__main__":
    typer.run(main)
