"""Celery's results in a database: in its own tables, or in those of django-celery-results."""

from asyncio import Lock
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from celery.backends.database.models import Task, TaskSet
from sqlalchemy import ColumnElement, case, column, func, null, or_, select, table

from services.job_status.source import JobStatus
from services.job_status.sources.byte_order import bytes_equal
from services.job_status.sources.celery import GROUP_BYTES_MAX, too_large
from services.job_status.sources.celery_states import (
    OUTCOMES,
    BatchTasks,
    parse_error_prefix,
    parse_group,
    parse_task_ids,
    status_of,
)
from services.job_status.sources.chunks import chunked
from services.job_status.sources.database import AnyRow, QueueDatabase
from services.job_status.sources.unreadable import status_or_problem

ROWS_PER_READ = 1_000
"""A statement with 1,000 ids has 40 KB, below every driver's limit."""
ERROR_LENGTH_MAX = 8 * 1024
"""Characters or bytes of an error that are read: 8 MB of 1,000 rows. The type comes first, and a message is
cut to 2,000 characters anyway."""

Column = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class ResultTables:
    """The columns of the two tables of a result backend."""

    group_id: Column
    group: Column
    task_id: Column
    state: Column
    result: Column
    retries: Column
    name: Column


def celery_tables(*, extended: bool) -> ResultTables:
    """Return the tables that Celery creates.

    Args:
        extended: whether they have the columns of `result_extended`.

    """
    groups = table(TaskSet.__tablename__, *map(column, ("taskset_id", "result"))).c
    names = ("task_id", "status", "result", "retries", "name")
    tasks = table(Task.__tablename__, *map(column, names)).c
    return ResultTables(
        groups.taskset_id,
        groups.result,
        *(tasks.task_id, tasks.status, tasks.result),
        retries=tasks.retries if extended else null(),
        name=tasks.name if extended else null(),
    )


def django_tables() -> ResultTables:
    """Return the tables that the migrations of django-celery-results create. They do not keep retries."""
    groups = table("django_celery_results_groupresult", *map(column, ("group_id", "result"))).c
    names = ("task_id", "status", "result", "task_name")
    tasks = table("django_celery_results_taskresult", *map(column, names)).c
    return ResultTables(
        groups.group_id,
        groups.result,
        *(tasks.task_id, tasks.status, tasks.result),
        retries=null(),
        name=tasks.task_name,
    )


class DatabaseResults:
    """Reads results in tables.

    Args:
        database: the result backend's database.
        tables: its tables.

    """

    def __init__(self, database: QueueDatabase, tables: ResultTables) -> None:
        self._database = database
        self._tables = tables
        self._reading = Lock()

    async def batch_tasks(self, batch_id: str) -> BatchTasks | None:
        """Return the tasks of the batch's own group and of its parts.

        The batch is unknown without its own group, because parts may then be missing as well.
        """
        group_id, group, part_prefix = self._tables.group_id, self._tables.group, f"{batch_id} "
        is_part = group_id.startswith(part_prefix, autoescape=True)
        of_batch = or_(bytes_equal(group_id, batch_id), is_part)
        size = select(func.sum(func.length(group))).where(of_batch)
        if ((await self._database.rows(size))[0][0] or 0) > GROUP_BYTES_MAX:
            raise too_large()
        async with self._reading:  # parsing takes many times the memory of the ids
            rows = await self._database.rows(select(group_id, group).where(of_batch))
            # Keeps exact matches only: the collation of the column may ignore case.
            found = {one: parse_group(saved) for one, saved in rows if f"{one} ".startswith(part_prefix)}
            if batch_id not in found:
                return None
            is_from_run = all(one == batch_id or one.startswith(f"{batch_id} run ") for one in found)
            return BatchTasks(parse_task_ids(found.values()), may_grow=not is_from_run)

    async def statuses(self, task_ids: Sequence[str]) -> list[JobStatus]:
        """Return the job of each task."""
        found: dict[str, JobStatus] = {}
        tables = self._tables
        # Reads errors only: a task's return value may be large.
        error = case((tables.state.in_(OUTCOMES.keys() - {"SUCCESS"}), tables.result))
        columns = (tables.task_id, tables.state, tables.retries, tables.name)
        for chunk in chunked(task_ids, ROWS_PER_READ):
            query = select(*columns, func.substr(error, 1, ERROR_LENGTH_MAX + 1))
            for row in await self._database.rows(query.where(tables.task_id.in_(chunk))):
                found[row[0]] = _status(row)
        # Takes exact matches only: the collation of the column may ignore case.
        return [found.get(task_id) or JobStatus(task_id, None) for task_id in task_ids]

    async def check(self) -> None:
        """Read at most one row."""
        await self._database.rows(select(self._tables.task_id).limit(1))

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()


def _status(row: AnyRow) -> JobStatus:
    task_id, state, retries, name, payload = row

    def parse() -> JobStatus:
        error = parse_error_prefix(payload, ERROR_LENGTH_MAX)
        return status_of(task_id, state, error=error, retries=retries, name=name)

    return status_or_problem(task_id, parse)
