"""Groups the failures of a batch by similar errors."""

from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.fingerprint import template_of
from batches.result import FailureGroup, JobOutcome
from batches.store import schema

FAILURE_GROUPS_MAX = 100
"""More groups than anyone reads."""
FAILURES_GROUPED_MAX = 200_000
"""Failures that one call reads: about a second of the database's time. This many show what is wrong, and the
batch's own counters give the exact number."""

_table = schema.job_results.c
_ERROR_TYPE = func.coalesce(_table.error_type, "").label("error_type")
"""Grouped by as well, although it is part of the fingerprint: servers of schema 0001 write rows without a
fingerprint, and keep the old one when they replace the failure of an earlier attempt."""


async def list_failure_groups(connection: AsyncConnection, batch_key: int) -> list[FailureGroup]:
    """Return the failure groups of a batch, the largest first, each with the message of its first job."""
    return [_to_group(row) for row in await connection.execute(_query(batch_key))]


def _query(batch_key: int) -> Select[Any]:
    failures = (
        select(_table.job_id, _table.error_kind, _ERROR_TYPE)
        .where(_table.batch_key == batch_key, _table.outcome == int(JobOutcome.FAILED))
        .order_by(_table.job_id)
        .limit(FAILURES_GROUPED_MAX)
        .subquery()
    )
    failed_jobs = func.count().label("failed_jobs")
    first_job_id = func.min(failures.c.job_id).label("first_job_id")
    groups = (
        select(failed_jobs, first_job_id)
        .group_by(failures.c.error_kind, failures.c.error_type)
        .order_by(failed_jobs.desc(), first_job_id)
        .limit(FAILURE_GROUPS_MAX)
        .subquery()
    )
    return (
        select(groups, _table.error_type, _table.error_message)
        .join(schema.job_results, (_table.batch_key == batch_key) & (_table.job_id == groups.c.first_job_id))
        .order_by(groups.c.failed_jobs.desc(), groups.c.first_job_id)
    )


def _to_group(row: Row[Any]) -> FailureGroup:
    message = row.error_message or ""
    return FailureGroup(
        error_type=row.error_type or "",
        failed_jobs=row.failed_jobs,
        message_template=template_of(message),
        sample_error_message=message,
        sample_job_id=row.first_job_id,
    )
