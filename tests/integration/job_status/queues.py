"""Queues as others write them: what our sources read, made with statements of their own."""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from services.job_status.sources import job_table

CANCEL_UNIX_SECONDS = 1_700_000_000


class Queue(Protocol):
    """A queue that a test fills."""

    async def create(self) -> None:
        """Make its tables."""

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Add a batch: the state (waiting, running, succeeded, failed) of each job."""

    async def cancel(self, batch_id: str) -> None:
        """Cancel a batch as its users do."""

    async def break_off(self) -> None:
        """Take the queue's tables away."""


class Database:
    """Runs statements of the queue's owner."""

    def __init__(self, url: str) -> None:
        """Take the URL of a database, which for SQLite need not exist yet."""
        self.backend = make_url(url).get_backend_name()
        self._engine = create_async_engine(url, poolclass=NullPool)

    async def run(self, sql: str, *rows: Mapping[str, Any]) -> None:
        """Run a statement, once for each row if there are any."""
        async with self._engine.begin() as connection:
            await connection.execute(text(sql), list(rows) or None)


class LaravelQueue:
    """`job_batches` as Laravel's migration and DatabaseBatchRepository write it."""

    def __init__(self, url: str) -> None:
        """Take the URL of the application's database."""
        self._database = Database(url)

    async def create(self) -> None:
        """Make the table of Laravel's migration, the same in Laravel 10 to 13."""
        sql = (
            "CREATE TABLE job_batches (id VARCHAR(255) PRIMARY KEY, name VARCHAR(255) NOT NULL,"
            " total_jobs INTEGER NOT NULL, pending_jobs INTEGER NOT NULL, failed_jobs INTEGER NOT NULL,"
            " failed_job_ids LONGTEXT, options MEDIUMTEXT, cancelled_at INTEGER,"
            " created_at INTEGER NOT NULL, finished_at INTEGER)"
        )
        if self._database.backend == "postgresql":
            sql = sql.replace("LONGTEXT", "TEXT").replace("MEDIUMTEXT", "TEXT")
        await self._database.run(sql)

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Add a batch: failed jobs stay pending, as Laravel leaves them."""
        failed = [job_id for job_id, state in jobs.items() if state == "failed"]
        unsuccessful = sum(state != "succeeded" for state in jobs.values())
        await self.put_row(batch_id, len(jobs), unsuccessful, json.dumps(failed))

    async def put_row(self, batch_id: str, total: int, pending: int, failed_job_ids: str | None) -> None:
        """Add a row as it is."""
        await self._database.run(
            "INSERT INTO job_batches (id, name, total_jobs, pending_jobs, failed_jobs, failed_job_ids,"
            " options, created_at) VALUES (:id, 'sync', :total, :pending, 9, :failed, :options, 1)",
            {
                "id": batch_id,
                "total": total,
                "pending": pending,
                "failed": failed_job_ids,
                # PHP's serialize() may hold NUL bytes, so Laravel wraps it for PostgreSQL.
                "options": "YTowOnt9" if self._database.backend == "postgresql" else "a:0:{}",
            },
        )

    async def cancel(self, batch_id: str) -> None:
        """Cancel as Batch::cancel() does: finished at once, though jobs still run."""
        await self._database.run(
            "UPDATE job_batches SET cancelled_at = :now, finished_at = :now WHERE id = :id",
            {"now": CANCEL_UNIX_SECONDS, "id": batch_id},
        )

    async def rename(self, table_name: str) -> None:
        """Give the table another name."""
        await self._database.run(f"ALTER TABLE job_batches RENAME TO {table_name}")

    async def break_off(self) -> None:
        """Drop the table."""
        await self._database.run("DROP TABLE job_batches")


class JobTableQueue:
    """The table `jobs` as the source's documentation has it."""

    def __init__(self, url: str) -> None:
        """Take the URL of the queue's database."""
        self._database = Database(url)

    async def create(self) -> None:
        """Make the documented table, with the ids as the documentation asks for them."""
        ids = {
            "sqlite": "VARCHAR(128)",
            "postgresql": 'VARCHAR(128) COLLATE "C"',
        }.get(self._database.backend, "VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin")
        assert ids in str(job_table.__doc__)
        await self._database.run(_documented_table().replace("VARCHAR(128)", ids))

    async def create_without_case(self) -> None:
        """Make a table whose owner let the database compare ids without case."""
        collation = "NOCASE" if self._database.backend == "sqlite" else "utf8mb4_general_ci"
        sql = re.sub(r",\s*PRIMARY KEY \(.*?\)", "", _documented_table())
        await self._database.run(sql.replace("VARCHAR(128)", f"VARCHAR(128) COLLATE {collation}"))

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Add a batch, a row for each job."""
        await self.put_rows(batch_id, *({"job": job_id, "state": state} for job_id, state in jobs.items()))

    async def put_rows(self, batch_id: str, *rows: Mapping[str, Any]) -> None:
        """Add jobs with what else is known about them: attempt, type, message."""
        nothing = {"batch": batch_id, "attempt": 1, "type": None, "message": None}
        await self._database.run(
            "INSERT INTO jobs (batch_id, job_id, state, attempt, error_type, error_message)"
            " VALUES (:batch, :job, :state, :attempt, :type, :message)",
            *({**nothing, **row} for row in rows),
        )

    async def cancel(self, batch_id: str) -> None:
        """Cancel as the documentation asks for."""
        await self._database.run(
            "UPDATE jobs SET state = 'cancelled' WHERE batch_id = :id AND state = 'waiting'", {"id": batch_id}
        )

    async def remove(self, batch_id: str, *job_ids: str) -> None:
        """Delete jobs of a batch."""
        rows = [{"batch": batch_id, "job": job_id} for job_id in job_ids]
        await self._database.run("DELETE FROM jobs WHERE batch_id = :batch AND job_id = :job", *rows)

    async def break_off(self) -> None:
        """Drop the table."""
        await self._database.run("DROP TABLE jobs")


def _documented_table() -> str:
    statement = re.search(r"CREATE TABLE.*?\n    \);", str(job_table.__doc__), re.DOTALL)
    assert statement is not None
    return statement.group().removesuffix(";")
