"""Keeps the details of errors beside the results, and reads the result of one job with them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select

from batches.errors import ResultNotFound
from batches.failure_groups import Job
from batches.result import JobOutcome, JobResult, RecordedResult
from batches.store import schema
from batches.store.attempts import is_among, portions
from batches.store.connections import AsyncConnection
from batches.store.listings import to_result

_results = schema.job_results.c
_details = schema.error_details.c
_OF_JOB = (_details.batch_key == _results.batch_key) & (_details.job_id == _results.job_id)
_OF_FAILURE = _OF_JOB & (_details.attempt == _results.attempt)
_SELECT_RESULT = select(schema.job_results, _details.details).outerjoin(schema.error_details, _OF_FAILURE)


async def replace_details(
    connection: AsyncConnection, obsolete: Collection[Job], detailed: Sequence[tuple[int, JobResult]]
) -> None:
    """Delete the details of replaced failures, and write others; without details, do nothing.

    Args:
        connection: The transaction, which holds the locks of the batches.
        obsolete: The jobs whose failures are replaced.
        detailed: The failures whose details are kept, each with its batch_key.

    """
    await _delete(connection, obsolete)
    if detailed:
        rows = [
            {"batch_key": key, "job_id": one.job_id, "attempt": one.attempt, "details": one.error_details}
            for key, one in detailed
        ]
        await connection.execute(insert(schema.error_details), rows)


async def read_result(
    connection: AsyncConnection, batch_key: int, *, batch_id: str, job_id: str
) -> RecordedResult:
    """Return the result of a job with its details.

    Raises:
        ResultNotFound: the job has no result.

    """
    of_job = _SELECT_RESULT.where(_results.batch_key == batch_key, _results.job_id == job_id)
    row = (await connection.execute(of_job)).one_or_none()
    if row is None:
        raise ResultNotFound(batch_id, job_id)
    return to_result(row, row.details)


async def count_stale(connection: AsyncConnection, keys: Collection[int]) -> dict[int, int]:
    """Return how many details of batches are not of their recorded failures, by batch_key."""
    query = _of_stale(_details.batch_key, func.count()).where(_details.batch_key.in_(keys))
    rows = await connection.execute(query.group_by(_details.batch_key))
    return dict(rows.all())


async def delete_stale(connection: AsyncConnection, batch_key: int) -> None:
    """Delete the details of a locked batch that are not of their recorded failures."""
    stale = await connection.scalars(_of_stale(_details.job_id).where(_details.batch_key == batch_key))
    await _delete(connection, [(batch_key, job_id) for job_id in stale.all()])


def _of_stale(*columns: ColumnElement[Any]) -> Any:
    is_stale = or_(_results.outcome.is_(None), _results.outcome != int(JobOutcome.FAILED))
    details = select(*columns).select_from(schema.error_details)
    return details.outerjoin(schema.job_results, _OF_FAILURE).where(is_stale)


async def _delete(connection: AsyncConnection, jobs: Collection[Job]) -> None:
    for some in portions(sorted(jobs)):
        await connection.execute(delete(schema.error_details).where(is_among(some, schema.error_details)))
