"""The failures of a batch in groups of errors that are alike."""

from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.fingerprint import template_of
from batches.result import FailureGroup, JobOutcome
from batches.store import schema

FAILURE_GROUPS_MAX = 100
"""More kinds of error than a person reads."""
FAILURES_GROUPED_MAX = 200_000
"""Failures that one call looks at: about a second of a database's time. Who has more of them has seen enough
to know what is wrong, and the batch's own tally says how many there are."""

_table = schema.job_results.c
_ERROR_TYPE = func.coalesce(_table.error_type, "").label("error_type")
"""A part of the kind, and yet grouped by: a server from before error_kind writes rows without a kind, and
leaves that of the attempt before where it writes another failure over it."""


async def list_failure_groups(connection: AsyncConnection, batch_key: int) -> list[FailureGroup]:
    """Return the failed results in groups, the largest first, each with the message of its first job."""
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
        row.error_type or "", row.failed_jobs, template_of(message), message, row.first_job_id
    )
