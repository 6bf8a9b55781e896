"""Reads the recorded attempts of jobs: for reports before they are recorded, and for the reconciler."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from operator import lt

from sqlalchemy import ColumnElement, Table, and_, or_, select

from batches.failure_groups import StoredFailure
from batches.result import JobOutcome, ResultSource, StoredAttempt
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.script import COMMIT, Rows, Statement, Value, marks, run_script

READ_JOBS_MAX = 2_000
"""Jobs looked up by one statement: far below SQLite's 32,766 variables and MySQL's 8 MiB of range memory."""
READ_BATCHES_MAX = 500
"""Batches looked up by one statement: each is a branch of an OR, and SQLite allows a depth of 1,000."""
ATTEMPTS_KEPT = 1_000
"""Attempts of which one object is kept: there are few, and making one takes as long as reading its row."""
SPARSE_FACTOR = 2
"""A range is read only if it has at most this many rows per wanted job: looking up one row by its id costs
about three times as much as reading it as part of a range."""

_table = schema.job_results.c
_SELECT_RANGE = """
    SELECT attempt, outcome, source, SUM(LENGTH(job_id)), JSON_ARRAYAGG(job_id) FROM (
        SELECT attempt, outcome, source, job_id FROM job_results FORCE INDEX (PRIMARY)
        WHERE batch_key = %s AND job_id BETWEEN %s AND %s LIMIT %s
    ) AS found GROUP BY attempt, outcome, source
"""
# MySQL may prefer the index of outcomes, and then looks up each row: more than twice the work.
_SELECT_RANGE_IN_SQLITE = _SELECT_RANGE.replace(" FORCE INDEX (PRIMARY)", "").replace(
    "JSON_ARRAYAGG", "json_group_array"
)
_SELECT = "SELECT batch_key, job_id, attempt, outcome, source FROM job_results WHERE"
_details = schema.error_details.c
_SELECT_FAILURE = select(
    _table.batch_key, _table.job_id, _table.error_kind, _details.job_id.is_not(None)
).outerjoin(
    schema.error_details, (_details.batch_key == _table.batch_key) & (_details.job_id == _table.job_id)
)


async def read_attempts(
    connection: AsyncConnection, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], StoredAttempt]:
    """Return the recorded attempts of jobs, by batch_key and job_id."""
    statements = list(attempt_statements(keys))
    return attempts_of(await run_script(connection, statements)) if statements else {}


def attempt_statements(keys: Iterable[tuple[int, str]]) -> Iterator[Statement]:
    """Yield the statements that read the attempts of jobs, for `attempts_of` their rows."""
    for jobs in portions(keys):
        among = " OR ".join([f"(batch_key = %s AND job_id IN ({marks(ids)}))" for ids in jobs.values()])
        values: list[Value] = []
        for key, ids in jobs.items():
            values += (key, *ids)
        yield Statement(f"{_SELECT} {among}", values)


def attempts_of(rows_of_statements: Iterable[Rows]) -> dict[tuple[int, str], StoredAttempt]:
    """Return the attempts in rows, by batch_key and job_id."""
    return {
        (key, job_id): _attempt(*attempt) for rows in rows_of_statements for key, job_id, *attempt in rows
    }


async def read_failures(
    connection: AsyncConnection, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], StoredFailure]:
    """Return the recorded failures of failed jobs, by batch_key and job_id."""
    failures: dict[tuple[int, str], StoredFailure] = {}
    for jobs in portions(keys):
        found = await connection.execute(_SELECT_FAILURE.where(is_among(jobs)))
        failures |= {
            (key, job_id): StoredFailure(kind, bool(has_details))
            for key, job_id, kind, has_details in found.all()
        }
    return failures


def is_among(jobs: Mapping[int, Sequence[str]], table: Table = schema.job_results) -> ColumnElement[bool]:
    """Return the condition for the rows of jobs, which are given by batch."""
    column = table.c
    return or_(*(and_(column.batch_key == key, column.job_id.in_(ids)) for key, ids in jobs.items()))


async def read_batch_attempts(
    connection: AsyncConnection, batch_key: int, job_ids: Sequence[str]
) -> dict[str, StoredAttempt]:
    """Return the recorded attempts of one batch's jobs, and perhaps those of others of its jobs, by job_id.

    A queue that lists its jobs in order asks for neighbouring rows: reading them as one range takes
    a fraction of the time of individual look-ups.
    """
    attempts = await _read_range(connection, batch_key, job_ids) if _is_ordered(job_ids) else None
    if attempts is None:
        found = await read_attempts(connection, ((batch_key, job_id) for job_id in job_ids))
        attempts = {job_id: attempt for (_, job_id), attempt in found.items()}
    return attempts


async def _read_range(
    connection: AsyncConnection, batch_key: int, job_ids: Sequence[str]
) -> dict[str, StoredAttempt] | None:
    """Return the attempts in the range from the first to the last job; None if it is too sparse.

    The database joins the ids of all rows with the same attempt, outcome and source, since these are
    few: fetching one row per job would cost Python six times as much.
    """
    rows_max = SPARSE_FACTOR * len(job_ids)
    query = _SELECT_RANGE_IN_SQLITE if connection.dialect.name == "sqlite" else _SELECT_RANGE
    ends = (job_ids[0], job_ids[-1])
    (found,) = await run_script(connection, [Statement(query, (batch_key, *ends, rows_max + 1)), COMMIT])
    rows_read, attempts = 0, dict[str, StoredAttempt]()
    for attempt, outcome, source, characters, jobs_as_json in found:
        jobs = _complete(jobs_as_json, characters)
        if jobs is None:
            return None
        rows_read += len(jobs)
        attempts |= dict.fromkeys(jobs, _attempt(attempt, outcome, source))
    return attempts if rows_read <= rows_max else None


def _complete(array: str, characters: int) -> list[str] | None:
    """Return the ids of an array; None if MariaDB cut it at its group_concat_max_len (1 MiB).

    A cut array may still be valid JSON, with fewer ids or a shorter last one.
    """
    try:
        ids: list[str] = json.loads(array)
    except ValueError:
        return None
    return ids if sum(map(len, ids)) == characters else None


def _is_ordered(job_ids: Sequence[str]) -> bool:
    """Return whether the ids, which are ASCII, are in the byte order of the table."""
    return bool(job_ids) and all(map(lt, job_ids, islice(job_ids, 1, None)))


@lru_cache(maxsize=ATTEMPTS_KEPT)
def _attempt(attempt: int, outcome: int, source: int) -> StoredAttempt:
    return StoredAttempt(attempt, JobOutcome(outcome), ResultSource(source))


def portions(keys: Iterable[tuple[int, str]]) -> Iterator[dict[int, list[str]]]:
    """Yield jobs, or other rows of batches, by batch: as many at a time as one statement may look up."""
    jobs: dict[int, list[str]] = defaultdict(list)
    for number, (key, job_id) in enumerate(keys, start=1):
        jobs[key].append(job_id)
        if number % READ_JOBS_MAX == 0 or len(jobs) == READ_BATCHES_MAX:
            yield jobs
            jobs = defaultdict(list)
    if jobs:
        yield jobs
