"""A table with one row per job: a queue of your own, or a copy of one.

    CREATE TABLE jobs (
        batch_id VARCHAR(128) NOT NULL,
        job_id VARCHAR(128) NOT NULL,
        state VARCHAR(16) NOT NULL,
        attempt INTEGER,
        error_type VARCHAR(200),
        error_message TEXT,
        PRIMARY KEY (batch_id, job_id)
    );

In MySQL, declare both ids as `VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin`: its default collation
treats `a` and `A` as one job. With another collation the ids are still distinguished here, but every page
then reads the whole batch (with a million jobs: 1 s per page instead of 20 ms). In PostgreSQL, declare them
as `VARCHAR(128) COLLATE "C"` for the same reason.

- A batch is known once it has a row.
- `state` is one of the following, in upper or lower case: `waiting` and `running` (both pending, as is a job
  that will be retried), `succeeded`, `failed` (permanently), `skipped` (ended without doing its work) and
  `cancelled` (never started and never will, because the batch was cancelled; reported as skipped). Any other
  state makes its job pending, with a problem, as does an attempt that is not a number.
- A batch is cancelled if one of its jobs is. To cancel a batch, run `UPDATE jobs SET state = 'cancelled'
  WHERE batch_id = … AND state = 'waiting'`. If no job was waiting, there was nothing to cancel.
- Rows may be added at any time, so a batch is never `finished`.
- An `attempt` of NULL or 0 is reported as 1.
"""

from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, column, func, literal, or_, select, table

from batches.result import ATTEMPT_MAX, ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX
from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobStatus
from services.job_status.sources import byte_order
from services.job_status.sources.byte_order import SortKey, bytes_equal, to_bytes
from services.job_status.sources.database import AnyRow, AnySelect, QueueDatabase
from services.job_status.sources.job_states import counts_of, job_id_of, status_of
from services.job_status.sources.unreadable import status_or_problem


class JobTableSource:
    """Reads counts and jobs from a table with one row per job.

    Args:
        database: the queue's database.
        table_name: the name of the table.

    """

    def __init__(self, database: QueueDatabase, table_name: str) -> None:
        self._database = database
        names = ("batch_id", "job_id", "state", "attempt", "error_type", "error_message")
        self._jobs = table(table_name, *(column(name) for name in names))

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch."""
        state = self._jobs.c.state
        unreadable = func.sum(case((self._attempt_is_valid(), 0), else_=1))
        query = self._select_of_batch(batch_id, state, func.count(), unreadable).group_by(state)
        rows = await self._database.rows(query)
        if not rows:
            raise BatchUnknown
        return counts_of((value, number, int(invalid)) for value, number, invalid in rows)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs in the byte order of their ids."""
        sort_key = await self._sort_key()
        # One more row than requested shows whether there is a next page.
        rows = await self._database.rows(self._select_page(sort_key, batch_id, after).limit(size + 1))
        if not rows and (after is None or not await self._exists(batch_id)):
            raise BatchUnknown
        statuses = tuple(map(_status, rows[:size]))
        return JobPage(statuses, statuses[-1].job_id if len(rows) > size else None)

    async def check(self) -> None:
        """Read at most one row."""
        await self._database.rows(select(self._jobs).limit(1))

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    def _attempt_is_valid(self) -> ColumnElement[bool]:
        attempt = self._jobs.c.attempt
        is_valid = or_(attempt.is_(None), attempt.between(0, ATTEMPT_MAX))
        if self._database.dialect_name != "sqlite":
            return is_valid
        return and_(is_valid, func.typeof(attempt).in_(("integer", "null")))

    def _select_of_batch(self, batch_id: str, *columns: ColumnElement[Any]) -> AnySelect:
        return select(*columns).select_from(self._jobs).where(bytes_equal(self._jobs.c.batch_id, batch_id))

    def _select_page(self, sort_key: SortKey, batch_id: str, after: str | None) -> AnySelect:
        jobs = self._jobs.c
        query = self._select_of_batch(
            batch_id,
            to_bytes(jobs.job_id).label("job_id"),
            jobs.state,
            jobs.attempt,
            # A table may keep whole stack traces, and a page has 5,000 jobs. More than this is never sent.
            func.substr(jobs.error_type, 1, ERROR_TYPE_CHARACTERS_MAX).label("error_type"),
            func.substr(jobs.error_message, 1, ERROR_MESSAGE_CHARACTERS_MAX).label("error_message"),
        )
        if after is not None:
            query = query.where(sort_key(jobs.job_id) > sort_key(literal(after, String())))
        return query.order_by(sort_key(jobs.job_id))

    async def _sort_key(self) -> SortKey:
        """Return the sort key of job_id in byte order that can use its index, if there is one."""
        if self._database.dialect_name == "sqlite":
            return byte_order.sqlite_binary
        if self._database.dialect_name == "postgresql":
            return byte_order.postgresql_c
        query = select(byte_order.collation_of(self._jobs.c.job_id)).select_from(self._jobs).limit(1)
        for (collation,) in await self._database.rows(query):
            if byte_order.is_binary(collation):
                return byte_order.unchanged
        return to_bytes

    async def _exists(self, batch_id: str) -> bool:
        return bool(await self._database.rows(self._select_of_batch(batch_id, literal(1)).limit(1)))


def _status(row: AnyRow) -> JobStatus:
    raw_id, *values = row
    job_id = job_id_of(raw_id)
    return status_or_problem(job_id, lambda: status_of(job_id, *values))
