"""A table with one row a job: a queue that is one, or that is mirrored into one.

    CREATE TABLE jobs (
        batch_id VARCHAR(128) NOT NULL,
        job_id VARCHAR(128) NOT NULL,
        state VARCHAR(16) NOT NULL,
        attempt INTEGER,
        error_type VARCHAR(200),
        error_message TEXT,
        PRIMARY KEY (batch_id, job_id)
    );

In MySQL declare the two ids `VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin`: its default
collation takes `a` and `A` for one job. Under another collation the ids are still told apart here,
but each page then reads the whole batch (of a million jobs: a second a page instead of 20 ms). In
PostgreSQL declare them `VARCHAR(128) COLLATE "C"` for the same reason.

- A batch is known once it has a row.
- `state` is, in either case of letters, one of: `waiting`, `running` (pending both, and so is a job that
  will be retried), `succeeded`, `failed` (for good), `skipped` (ended without doing its work) and
  `cancelled` (never started, and will not, because the batch was cancelled: told as skipped). Any other
  state is a contradiction, never a guess.
- A batch is cancelled if one of its jobs is: whoever cancels it writes `UPDATE jobs SET state =
  'cancelled' WHERE batch_id = … AND state = 'waiting'`. If none was waiting, there was nothing to cancel.
- Rows may be added at any time, so that no batch is called `finished`.
- `attempt` NULL or 0 is told as 1.
"""

from typing import Any

from sqlalchemy import ColumnElement, String, column, func, literal, select, table

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX
from services.job_status.source import BatchCounts, BatchUnknown, JobPage
from services.job_status.sources import byte_order
from services.job_status.sources.byte_order import Key, as_bytes, same_bytes
from services.job_status.sources.database import AnySelect, QueueDatabase
from services.job_status.sources.job_states import counts_of, status_of


class JobTableSource:
    """Counts and jobs from a table with one row a job."""

    def __init__(self, database: QueueDatabase, table_name: str) -> None:
        """Take the queue's database and the name of the table in it."""
        self._database = database
        names = ("batch_id", "job_id", "state", "attempt", "error_type", "error_message")
        self._jobs = table(table_name, *(column(name) for name in names))

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch."""
        state = self._jobs.c.state
        rows = await self._database.rows(self._of_batch(batch_id, state, func.count()).group_by(state))
        if not rows:
            raise BatchUnknown
        return counts_of((row[0], row[1]) for row in rows)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs in the order of their ids."""
        key = await self._key()
        # One row more than asked for tells whether there is a next page.
        rows = await self._database.rows(self._page(key, batch_id, after).limit(size + 1))
        if not rows and (after is None or not await self._knows(batch_id)):
            raise BatchUnknown
        statuses = tuple(status_of(*row) for row in rows[:size])
        return JobPage(statuses, statuses[-1].job_id if len(rows) > size else None)

    async def check(self) -> None:
        """Read a row, if there is one."""
        await self._database.rows(select(self._jobs).limit(1))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._database.close()

    def _of_batch(self, batch_id: str, *columns: ColumnElement[Any]) -> AnySelect:
        return select(*columns).select_from(self._jobs).where(same_bytes(self._jobs.c.batch_id, batch_id))

    def _page(self, key: Key, batch_id: str, after: str | None) -> AnySelect:
        jobs = self._jobs.c
        query = self._of_batch(
            batch_id,
            as_bytes(jobs.job_id).label("job_id"),
            jobs.state,
            jobs.attempt,
            # A table may keep whole stack traces, 5,000 a page; more than this is never told.
            func.substr(jobs.error_type, 1, ERROR_TYPE_CHARACTERS_MAX).label("error_type"),
            func.substr(jobs.error_message, 1, ERROR_MESSAGE_CHARACTERS_MAX).label("error_message"),
        )
        if after is not None:
            query = query.where(key(jobs.job_id) > key(literal(after, String())))
        return query.order_by(key(jobs.job_id))

    async def _key(self) -> Key:
        """Return the byte order of job_id, the one its index has if there is such a one."""
        if self._database.dialect_name == "sqlite":
            return byte_order.by_sqlite_bytes
        if self._database.dialect_name == "postgresql":
            return byte_order.by_postgresql_bytes
        query = select(byte_order.collation_of(self._jobs.c.job_id)).select_from(self._jobs).limit(1)
        for (collation,) in await self._database.rows(query):
            if byte_order.goes_by_bytes(collation):
                return byte_order.as_is
        return byte_order.as_bytes

    async def _knows(self, batch_id: str) -> bool:
        return bool(await self._database.rows(self._of_batch(batch_id, literal(1)).limit(1)))
