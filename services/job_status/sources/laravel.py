"""Laravel's job batches, as Bus::batch() keeps them in the table `job_batches`.

Laravel keeps no list of jobs, only counts. A batch_id is the `id` of its row. The table is the same
from Laravel 10 to 13, in MySQL, MariaDB, PostgreSQL and SQLite; what differs (`options` is base64 in
PostgreSQL) is not read.
"""

from sqlalchemy import column, select, table

from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobsNotListed
from services.job_status.sources.byte_order import same_bytes
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.laravel_counts import counts_of


class LaravelSource:
    """Counts from `job_batches`."""

    def __init__(self, database: QueueDatabase, table_name: str) -> None:
        """Take the application's database and the name of the table in it."""
        self._database = database
        names = ("id", "total_jobs", "pending_jobs", "failed_job_ids", "cancelled_at")
        self._batches = table(table_name, *(column(name) for name in names))

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch, from one row."""
        query = select(self._batches).where(same_bytes(self._batches.c.id, batch_id))
        for row in await self._database.rows(query):
            return counts_of(row.total_jobs, row.pending_jobs, row.failed_job_ids, row.cancelled_at)
        raise BatchUnknown

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:  # noqa: ARG002
        """Refuse: Laravel keeps no list of jobs."""
        raise JobsNotListed

    async def check(self) -> None:
        """Read a row, if there is one."""
        await self._database.rows(select(self._batches).limit(1))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._database.close()
