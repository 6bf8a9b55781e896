"""Keeps the failure groups of batches as counts: with each recording, and counted again from the rows.

Every function that writes holds the locks of the batches, so two transactions never wait for the groups of
one batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, fields
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select

from batches.batch import Batch
from batches.failure_groups import (
    OTHER_KINDS,
    GroupChange,
    GroupCounter,
    GroupTally,
    StoredGroups,
    within_limit,
)
from batches.result import JobOutcome
from batches.store import schema
from batches.store.attempts import portions
from batches.store.connections import AsyncConnection
from batches.store.error_details import delete_stale
from batches.store.locking import lock_batch

COUNTED_ROWS = 50_000
"""Failures counted by one statement: a quarter of a second of the database's time, far below its limit."""
RECOUNTED_FAILURES_MAX = 1_000_000
"""Failures counted again in one transaction: some five seconds, for which reports of that batch wait."""

_groups = schema.failure_groups.c
_results = schema.job_results.c

ROWS_A_STATEMENT = 100
"""With the longest errors some 900 KB; MySQL may be configured to accept 1 MB."""

_COLUMNS = [field.name for field in fields(GroupChange)]
_INSERT = f"INSERT INTO failure_groups ({', '.join(_COLUMNS)}) VALUES"
_IS_FIRST = """
    {new}sample_job_id{end} <> '' AND (
        failure_groups.sample_job_id = '' OR failure_groups.failed_jobs <= 0
        OR {new}sample_job_id{end} < failure_groups.sample_job_id
    )
"""
# In MySQL a column is read as the columns before it have left it: those that the condition reads are last.
_UPDATE = ", ".join(
    [
        *(
            f"{name} = CASE WHEN {_IS_FIRST} THEN {{new}}{name}{{end}} ELSE failure_groups.{name} END"
            for name in ("error_type", "sample_error_message", "sample_job_id")
        ),
        *(f"{name} = failure_groups.{name} + {{new}}{name}{{end}}" for name in ("failed_jobs", "own_groups")),
    ]
)
_IN_SQLITE = "ON CONFLICT (batch_key, fingerprint) DO UPDATE SET " + _UPDATE.format(new="excluded.", end="")
_IN_MYSQL = "AS new ON DUPLICATE KEY UPDATE " + _UPDATE.format(new="new.", end="")
_IN_MARIADB = "ON DUPLICATE KEY UPDATE " + _UPDATE.format(new="VALUES(", end=")")
"""Also for MySQL before 8.0.19. Later versions answer VALUES(…) with warnings, which the driver fetches."""
_FIRST_MYSQL = (8, 0, 19)


async def count_changes(
    connection: AsyncConnection, changes: Sequence[GroupChange]
) -> dict[tuple[int, str], int]:
    """Add changes to the stored counts; without changes, do nothing.

    Returns:
        The number of jobs that each group of the changes had before, by batch_key and fingerprint. A kind
        without an entry is counted with the further kinds.

    """
    if not changes:
        return {}
    stored = await _read_stored(connection, changes)
    counted = within_limit(changes, stored)
    rows = [astuple(change) for change in counted]
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        await _write(connection, rows[first : first + ROWS_A_STATEMENT])
    return {(one.batch_key, one.fingerprint): 0 for one in counted} | dict(stored.failed_jobs)


async def _write(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows to the stored ones in one statement: drivers send the rows of most upserts one by one."""
    dialect = connection.dialect
    if dialect.name == "sqlite":
        mark, update = "?", _IN_SQLITE
    else:
        is_mariadb = getattr(dialect, "is_mariadb", False)
        knows_alias = not is_mariadb and (dialect.server_version_info or ()) >= _FIRST_MYSQL
        mark, update = "%s", _IN_MYSQL if knows_alias else _IN_MARIADB
    row = f"({', '.join([mark] * len(_COLUMNS))})"
    statement = f"{_INSERT} {', '.join([row] * len(rows))} {update}"
    await connection.exec_driver_sql(statement, tuple(value for values in rows for value in values))


async def _read_stored(connection: AsyncConnection, changes: Iterable[GroupChange]) -> StoredGroups:
    """Look up the groups of the changes, and how many groups of their own the batches have."""
    keys = {(change.batch_key, change.fingerprint) for change in changes}
    keys |= {(key, OTHER_KINDS) for key, _ in keys}
    failed_jobs: dict[tuple[int, str], int] = {}
    own_groups: dict[int, int] = {}
    query = select(_groups.batch_key, _groups.fingerprint, _groups.failed_jobs, _groups.own_groups)
    for sought in portions(sorted(keys)):
        are_sought = or_(
            *(and_(_groups.batch_key == key, _groups.fingerprint.in_(ids)) for key, ids in sought.items())
        )
        for key, fingerprint, jobs, number in await connection.execute(query.where(are_sought)):
            failed_jobs[key, fingerprint] = jobs
            if fingerprint == OTHER_KINDS:
                own_groups[key] = number
    return StoredGroups(failed_jobs, own_groups)


async def read_tallies(connection: AsyncConnection, batch_key: int) -> list[GroupTally]:
    """Return the stored groups of a batch."""
    query = select(_groups.fingerprint, _groups.failed_jobs, _groups.sample_job_id)
    rows = await connection.execute(query.where(_groups.batch_key == batch_key))
    return [GroupTally(*row) for row in rows]


async def count_rows(
    connection: AsyncConnection, batch_key: int, counter: GroupCounter, failures_max: int
) -> list[GroupTally]:
    """Count the first failures of a batch in its rows, in the order of their job ids."""
    after_job_id = ""
    for counted in range(0, failures_max, COUNTED_ROWS):
        failures = (
            select(_results.job_id, _results.error_kind)
            .where(_results.batch_key == batch_key, _results.outcome == int(JobOutcome.FAILED))
            .where(_results.job_id > after_job_id)
            .order_by(_results.job_id)
            .limit(min(COUNTED_ROWS, failures_max - counted))
            .subquery()
            .c
        )
        query = select(
            failures.error_kind, func.count(), func.min(failures.job_id), func.max(failures.job_id)
        ).group_by(failures.error_kind)
        kinds = (await connection.execute(query)).all()
        if not kinds:
            break
        for kind, failed_jobs, first_job_id, _ in sorted(kinds, key=lambda row: row[2]):
            counter.add(kind, failed_jobs, first_job_id)
        after_job_id = max(last_job_id for _, _, _, last_job_id in kinds)
    return counter.tallies()


def failures_with_rows(batch: Batch) -> int:
    """Return how many failures of a batch have rows, which are those that belong to groups."""
    return batch.tally.failed - batch.unattributed.failed


async def recount(connection: AsyncConnection, batch_id: str) -> bool:
    """Replace the counts of a batch by those of its rows, and delete error details of replaced failures.

    Returns:
        Whether it was done; False if the batch has too many failures.

    Raises:
        BatchNotFound: there is no such batch.

    """
    batch = await lock_batch(connection, batch_id)
    if failures_with_rows(batch) > RECOUNTED_FAILURES_MAX:
        return False
    tallies = await count_rows(connection, batch.batch_key, GroupCounter(), RECOUNTED_FAILURES_MAX)
    await connection.execute(delete(schema.failure_groups).where(_groups.batch_key == batch.batch_key))
    await connection.execute(insert(schema.failure_groups), await _rows_of(connection, batch, tallies))
    await delete_stale(connection, batch.batch_key)
    return True


async def _rows_of(
    connection: AsyncConnection, batch: Batch, tallies: Sequence[GroupTally]
) -> list[dict[str, Any]]:
    first_jobs = [one.first_job_id for one in tallies if one.first_job_id]
    query = select(_results.job_id, _results.error_type, _results.error_message).where(
        _results.batch_key == batch.batch_key, _results.job_id.in_(first_jobs)
    )
    errors = {job_id: error for job_id, *error in await connection.execute(query)}
    own_groups = sum(one.fingerprint != OTHER_KINDS for one in tallies)
    return [
        asdict(
            GroupChange(
                batch_key=batch.batch_key,
                fingerprint=one.fingerprint,
                failed_jobs=one.failed_jobs,
                own_groups=own_groups if one.fingerprint == OTHER_KINDS else 0,
                sample_job_id=one.first_job_id,
                error_type=error_type or "",
                sample_error_message=error_message or "",
            )
        )
        for one in tallies
        for error_type, error_message in [errors.get(one.first_job_id, ("", ""))]
    ]
