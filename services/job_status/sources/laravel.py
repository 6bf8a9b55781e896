"""Laravel's job batches, which Bus::batch() keeps in the table `job_batches`.

Laravel keeps only counts, not a list of jobs. A batch_id is the `id` of its row. The table is the same in
Laravel 10 to 13, and in MySQL, MariaDB, PostgreSQL and SQLite; the column that differs is not read (`options`
is base64 in PostgreSQL).
"""

from sqlalchemy import column, select, table

from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobsNotListed
from services.job_status.sources.byte_order import bytes_equal
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.laravel_counts import counts_of


class LaravelSource:
    """Reads the counts of batches from `job_batches`.

    Args:
        database: the application's database.
        table_name: the name of the table.

    """

    def __init__(self, database: QueueDatabase, table_name: str) -> None:
        self._database = database
        names = ("id", "total_jobs", "pending_jobs", "failed_job_ids", "cancelled_at")
        self._batches = table(table_name, *(column(name) for name in names))

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch by its row."""
        query = select(self._batches).where(bytes_equal(self._batches.c.id, batch_id))
        for row in await self._database.rows(query):
            return counts_of(row.total_jobs, row.pending_jobs, row.failed_job_ids, row.cancelled_at)
        raise BatchUnknown

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:  # noqa: ARG002
        """Raise JobsNotListed: Laravel keeps no list of jobs."""
        raise JobsNotListed

    async def check(self) -> None:
        """Read at most one row."""
        await self._database.rows(select(self._batches).limit(1))

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()
