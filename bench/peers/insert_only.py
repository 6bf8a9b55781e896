"""python -m bench.peers.insert_only: a timed process that only inserts the rows that our server would insert.

INSERTs through the driver (asyncmy or aiosqlite) without SQLAlchemy, on one connection, each committed before
the next, as durably as by our server; without gRPC, locks, duplicate check and counters. The process is
server and load in one. As many rows as the plan asks for are made before the window starts.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain, count, islice
from typing import Any

import aiosqlite
import asyncmy
from sqlalchemy import URL, make_url

from batches.result import JobOutcome, ResultSource
from batches.store import schema
from bench.load.timed import Outcome, read_plan, wait_for_window, write_outcome

ROWS_PER_STATEMENT = 2_000
"""As many as in the largest group of our server: more gain little, fewer commit more often."""
COLUMNS = (
    "batch_key",
    "job_id",
    "attempt",
    "outcome",
    "source",
    "error_type",
    "error_message",
    "record_time",
)
SQLITE = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
)
"""How our server writes to SQLite: a committed row survives a power cut."""

Rows = Sequence[tuple[Any, ...]]
Insert = Callable[[Rows], Awaitable[None]]
"""Inserts rows and commits them."""


def main() -> None:
    """Insert until the window ends, and print the outcome."""
    write_outcome(asyncio.run(_run(**read_plan())))


async def _run(url: str, batch_key: int, rows_per_statement: int, prepared_statements: int) -> Outcome:
    statements = _statements(batch_key, rows_per_statement)
    statements = chain(list(islice(statements, prepared_statements)), statements)
    async with _inserting(make_url(url)) as insert:
        window = await wait_for_window()
        ends: list[tuple[float, float]] = []
        while (began := time.monotonic()) < window.end:
            await insert(next(statements))
            ends.append((began, time.monotonic()))
    measured = [(began, ended) for began, ended in ends if window.begin <= ended < window.end]
    rows = len(ends) * rows_per_statement
    return Outcome(
        calls=len(measured),
        results=len(measured) * rows_per_statement,
        latencies_ms=[(ended - began) * 1_000 for began, ended in measured],
        jobs={str(batch_key): rows},
        sent=rows,
        recorded=rows,
    )


@asynccontextmanager
async def _inserting(url: URL) -> AsyncIterator[Insert]:
    """Connect to a database, and yield what inserts rows there."""
    connect = _on_sqlite if url.get_backend_name() == "sqlite" else _on_mysql
    async with connect(url) as insert:
        yield insert


@asynccontextmanager
async def _on_mysql(url: URL) -> AsyncIterator[Insert]:
    connection = await asyncmy.connect(
        host=url.host, port=url.port, user=url.username, password=url.password or "", db=url.database
    )
    statement = _insert("%s")

    async def insert(rows: Rows) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany(statement, rows)
        await connection.commit()

    try:
        yield insert
    finally:
        await connection.ensure_closed()


@asynccontextmanager
async def _on_sqlite(url: URL) -> AsyncIterator[Insert]:
    statement = _insert("?")
    async with aiosqlite.connect(url.database or "", isolation_level=None) as connection:
        for pragma in SQLITE:
            await connection.execute(pragma)

        async def insert(rows: Rows) -> None:
            await connection.execute("BEGIN IMMEDIATE")
            await connection.executemany(statement, rows)
            await connection.execute("COMMIT")

        yield insert


def _insert(placeholder: str) -> str:
    columns, places = ", ".join(COLUMNS), ", ".join([placeholder] * len(COLUMNS))
    return f"INSERT INTO {schema.job_results.name} ({columns}) VALUES ({places})"  # noqa: S608  # constants


def _statements(batch_key: int, rows_per_statement: int) -> Iterator[Rows]:
    now = f"{datetime.now(UTC).replace(tzinfo=None):%Y-%m-%d %H:%M:%S.%f}"
    rest = (1, int(JobOutcome.SUCCEEDED), int(ResultSource.WORKER), None, None, now)
    for first in count(step=rows_per_statement):
        yield [(batch_key, f"job-{job}", *rest) for job in range(first, first + rows_per_statement)]


if __name__ == "__main__":
    main()
