"""python -m bench.result_size: measure the disk space of a result, and how much of it each index takes.

Results are inserted in groups, as a server does, with random or ascending UUIDs as job ids.
"""

import asyncio
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer
from sqlalchemy import insert, text

from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from bench.measure.stores import mysql, with_tables

RESULTS_PER_GROUP = 500
SEED = 21
_SIZES = text(
    "SELECT index_name, stat_value * @@innodb_page_size FROM mysql.innodb_index_stats"
    " WHERE database_name = DATABASE() AND table_name = 'job_results' AND stat_name = 'size'"
)


def main(results: int = 300_000) -> None:
    """Print the bytes of a result in MySQL's table and in each of its indexes, also after OPTIMIZE TABLE."""
    asyncio.run(_measure(results))


async def _measure(results: int) -> None:
    async with mysql() as server:
        for order in ("random", "ascending"):
            async with server.database(f"size_{order}") as url, with_tables(url) as database:
                await _insert(database, results, is_random=order == "random")
                await _print_sizes(database, results, f"{order} ids")
                await _run(database, "OPTIMIZE TABLE job_results")
                await _print_sizes(database, results, f"{order} ids, after OPTIMIZE TABLE")


async def _insert(database: Database, results: int, *, is_random: bool) -> None:
    for rows in _groups(results, is_random=is_random):
        async with database.engine.begin() as connection:
            await connection.execute(insert(schema.job_results), rows)


def _groups(results: int, *, is_random: bool) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of results, of which one in a hundred has failed."""
    chance = random.Random(SEED)  # noqa: S311  # ids of jobs
    numbers = [chance.getrandbits(128) for _ in range(results)]
    now = datetime.now(UTC)
    rows = [
        {
            "batch_key": 1,
            "job_id": str(uuid.UUID(int=number)),
            "attempt": 1,
            "outcome": 2 if index % 100 == 0 else 1,
            "source": 1,
            "record_time": now,
        }
        for index, number in enumerate(numbers if is_random else sorted(numbers))
    ]
    for first in range(0, results, RESULTS_PER_GROUP):
        yield rows[first : first + RESULTS_PER_GROUP]


async def _print_sizes(database: Database, results: int, title: str) -> None:
    await _run(database, "ANALYZE TABLE job_results")

    async def read(connection: AsyncConnection) -> dict[str, float]:
        return {name: float(size) for name, size in await connection.execute(_SIZES)}

    sizes = await database.read(read)
    parts = ", ".join(f"{name} {size / results:.0f}" for name, size in sorted(sizes.items()))
    print(f"{title}: {sum(sizes.values()) / results:.0f} B a result ({parts})")  # noqa: T201


async def _run(database: Database, statement: str) -> None:
    async with database.migration() as connection:  # without a limit of time
        await connection.execute(text(statement))


if __name__ == "__main__":
    typer.run(main)
