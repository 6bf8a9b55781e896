"""Queues as their own software writes them, for our sources to read."""

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
        """Create its tables."""

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Add a batch, given the state of each job: waiting, running, succeeded or failed."""

    async def cancel(self, batch_id: str) -> None:
        """Cancel a batch as the queue's users do."""

    async def make_unavailable(self) -> None:
        """Make every read fail."""


class Database:
    """Runs statements as the queue's owner; creates the database file of SQLite."""

    def __init__(self, url: str) -> None:
        self.backend = make_url(url).get_backend_name()
        self._engine = create_async_engine(url, poolclass=NullPool)

    async def run(self, sql: str, *rows: Mapping[str, Any]) -> None:
        """Run a statement, once for each row if rows are given."""
        async with self._engine.begin() as connection:
            await connection.execute(text(sql), list(rows) or None)


class LaravelQueue:
    """`job_batches` as Laravel's migration and DatabaseBatchRepository write it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._database = Database(url)

    async def create(self) -> None:
        """Create the table of Laravel's migration, the same in Laravel 10 to 13."""
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
        """Add a batch; failed jobs stay in pending_jobs, as in Laravel."""
        failed = [job_id for job_id, state in jobs.items() if state == "failed"]
        unsuccessful = sum(state != "succeeded" for state in jobs.values())
        await self.put_row(batch_id, len(jobs), unsuccessful, json.dumps(failed))

    async def put_row(
        self, batch_id: str, total: int, pending: int, failed_job_ids: str | None, options: str = ""
    ) -> None:
        """Add a row with these values."""
        await self._database.run(
            "INSERT INTO job_batches (id, name, total_jobs, pending_jobs, failed_jobs, failed_job_ids,"
            " options, created_at) VALUES (:id, 'sync', :total, :pending, 9, :failed, :options, 1)",
            {
                "id": batch_id,
                "total": total,
                "pending": pending,
                "failed": failed_job_ids,
                # Laravel encodes PHP's serialize() for PostgreSQL, because it may contain NUL bytes.
                "options": options or ("YTowOnt9" if self._database.backend == "postgresql" else "a:0:{}"),
            },
        )

    async def cancel(self, batch_id: str) -> None:
        """Cancel as Batch::cancel() does: finished_at is set although jobs are still running."""
        await self._database.run(
            "UPDATE job_batches SET cancelled_at = :now, finished_at = :now WHERE id = :id",
            {"now": CANCEL_UNIX_SECONDS, "id": batch_id},
        )

    async def set_raw_failed_ids(self, batch_id: str, failed_job_ids: bytes) -> None:
        """Store bytes as text in SQLite, whatever they are."""
        await self._database.run(
            "UPDATE job_batches SET failed_job_ids = CAST(:failed AS TEXT) WHERE id = :id",
            {"failed": failed_job_ids, "id": batch_id},
        )

    async def rename(self, table_name: str) -> None:
        """Rename the table."""
        await self._database.run(f"ALTER TABLE job_batches RENAME TO {table_name}")

    async def make_unavailable(self) -> None:
        """Drop the table."""
        await self._database.run("DROP TABLE job_batches")


class JobTableQueue:
    """The table `jobs` as documented by the source."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def create(self) -> None:
        """Create the documented table, with the documented collation of the ids."""
        ids = {
            "sqlite": "VARCHAR(128)",
            "postgresql": 'VARCHAR(128) COLLATE "C"',
        }.get(self._database.backend, "VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin")
        assert ids in str(job_table.__doc__)
        await self._database.run(_documented_table().replace("VARCHAR(128)", ids))

    async def create_case_insensitive(self) -> None:
        """Create a table with a collation that ignores case."""
        collation = "NOCASE" if self._database.backend == "sqlite" else "utf8mb4_general_ci"
        sql = re.sub(r",\s*PRIMARY KEY \(.*?\)", "", _documented_table())
        await self._database.run(sql.replace("VARCHAR(128)", f"VARCHAR(128) COLLATE {collation}"))

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Add a batch with one row per job."""
        await self.put_rows(batch_id, *({"job": job_id, "state": state} for job_id, state in jobs.items()))

    async def put_rows(self, batch_id: str, *rows: Mapping[str, Any]) -> None:
        """Add jobs by their columns: job, state, attempt, type, message."""
        defaults = {"batch": batch_id, "attempt": 1, "type": None, "message": None}
        await self._database.run(
            "INSERT INTO jobs (batch_id, job_id, state, attempt, error_type, error_message)"
            " VALUES (:batch, :job, :state, :attempt, :type, :message)",
            *({**defaults, **row} for row in rows),
        )

    async def cancel(self, batch_id: str) -> None:
        """Cancel as documented."""
        await self._database.run(
            "UPDATE jobs SET state = 'cancelled' WHERE batch_id = :id AND state = 'waiting'", {"id": batch_id}
        )

    async def remove(self, batch_id: str, *job_ids: str) -> None:
        """Delete jobs of a batch."""
        rows = [{"batch": batch_id, "job": job_id} for job_id in job_ids]
        await self._database.run("DELETE FROM jobs WHERE batch_id = :batch AND job_id = :job", *rows)

    async def make_unavailable(self) -> None:
        """Drop the table."""
        await self._database.run("DROP TABLE jobs")


def _documented_table() -> str:
    statement = re.search(r"CREATE TABLE.*?\n    \);", str(job_table.__doc__), re.DOTALL)
    assert statement is not None
    return statement.group().removesuffix(";")
