"""python -m bench.peers.insert_only: a timed process that only inserts the rows that our server would insert.

Multi-row INSERTs through the driver (asyncmy) without SQLAlchemy, on one connection, each committed before
the next; without gRPC, locks, duplicate check and counters. The process is server and load in one. As many
rows as the plan asks for are made before the window starts.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain, count, islice
from typing import Any

import asyncmy
from sqlalchemy import make_url

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
INSERT = (
    f"INSERT INTO {schema.job_results.name} ({', '.join(COLUMNS)})"  # noqa: S608  # built from constants
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)

Rows = Sequence[tuple[Any, ...]]


def main() -> None:
    """Insert until the window ends, and print the outcome."""
    write_outcome(asyncio.run(_run(**read_plan())))


async def _run(url: str, batch_key: int, prepared_statements: int) -> Outcome:
    statements = _statements(batch_key)
    statements = chain(list(islice(statements, prepared_statements)), statements)
    async with _connection(url) as connection:
        window = await wait_for_window()
        ends: list[tuple[float, float]] = []
        while (began := time.monotonic()) < window.end:
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT, next(statements))
            await connection.commit()
            ends.append((began, time.monotonic()))
    measured = [(began, ended) for began, ended in ends if window.begin <= ended < window.end]
    rows = len(ends) * ROWS_PER_STATEMENT
    return Outcome(
        calls=len(measured),
        results=len(measured) * ROWS_PER_STATEMENT,
        latencies_ms=[(ended - began) * 1_000 for began, ended in measured],
        jobs={str(batch_key): rows},
        sent=rows,
        recorded=rows,
    )


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Any]:
    parts = make_url(url)
    connection = await asyncmy.connect(
        host=parts.host,
        port=parts.port,
        user=parts.username,
        password=parts.password or "",
        db=parts.database,
    )
    try:
        yield connection
    finally:
        await connection.ensure_closed()


def _statements(batch_key: int) -> Iterator[Rows]:
    now = datetime.now(UTC).replace(tzinfo=None)
    rest = (1, int(JobOutcome.SUCCEEDED), int(ResultSource.WORKER), None, None, now)
    for first in count(step=ROWS_PER_STATEMENT):
        yield [(batch_key, f"job-{job}", *rest) for job in range(first, first + ROWS_PER_STATEMENT)]


if __name__ == "__main__":
    main()
