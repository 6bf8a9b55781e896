"""The statement sequence that records every result, whether a worker or the reconciler reports it."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch
from batches.error_details import with_kept_details
from batches.failure_groups import Fingerprints, changes_of
from batches.fingerprint import fingerprint_of
from batches.recording import Recording, StoredAttempts, record
from batches.result import JobOutcome, JobResult, ResultSource
from batches.store import schema
from batches.store.attempts import read_attempts, read_failures
from batches.store.error_details import replace_details
from batches.store.failure_groups import count_changes
from batches.store.rows import lock_batches, save_batches

THREAD_ERRORS_MIN = 100
"""From this many different errors on, a thread computes the fingerprints, so that the event loop stays free:
long messages take some 10 ms."""

_table = schema.job_results.c
_INSERT = insert(schema.job_results)
# Sets the columns of its parameter rows: those of _values.
_UPDATE = update(schema.job_results).where(
    _table.batch_key == bindparam("of_batch"), _table.job_id == bindparam("of_job")
)
# A later attempt may come from a source that does not know the name.
_UPDATE_NAMED = _UPDATE.values(display_name=func.coalesce(bindparam("name"), _table.display_name))


async def fingerprints_of(results: Iterable[JobResult]) -> Fingerprints:
    """Return the fingerprints of the failures, each computed once. To be called before any lock is held."""
    errors = {(one.error_type, one.error_message) for one in results if one.outcome is JobOutcome.FAILED}
    if len(errors) < THREAD_ERRORS_MIN:
        return _compute(errors)
    return await asyncio.to_thread(_compute, errors)


def _compute(errors: Iterable[tuple[str, str]]) -> Fingerprints:
    return {error: fingerprint_of(*error) for error in errors}


async def record_results(
    connection: AsyncConnection,
    results: Sequence[JobResult],
    source: ResultSource,
    fingerprints: Fingerprints,
) -> Recording:
    """Lock the batches, read the recorded attempts of the jobs, decide, and write. The caller commits."""
    batches = await lock_batches(connection, {result.batch_id for result in results})
    stored = await read_attempts(connection, _keys(batches, results))
    recording = record(batches, stored, results, source)
    await write_recording(connection, recording, stored, source, fingerprints, before=batches)
    return recording


async def write_recording(  # noqa: PLR0913  # what a recording is based on
    connection: AsyncConnection,
    recording: Recording,
    stored: StoredAttempts,
    source: ResultSource,
    fingerprints: Fingerprints,
    *,
    before: Iterable[Batch],
) -> None:
    """Write the rows of a recording, the changed batches, and what there is to keep about failures.

    Args:
        connection: The transaction, which holds the locks of the batches.
        recording: What to write.
        stored: The attempts that the recording is based on.
        source: Who reports the results.
        fingerprints: The fingerprints of the failures.
        before: The batches as they were locked.

    """
    superseded = await read_failures(connection, _superseded_failures(recording, stored))
    time_of = {batch.batch_key: batch.last_result_time for batch in recording.changed}
    if recording.inserted:
        rows = [
            {"batch_key": key, "job_id": result.job_id, **_values(result, source, fingerprints, time_of[key])}
            for key, result in recording.inserted
        ]
        _add_names(rows, "display_name", recording.inserted)
        await connection.execute(_INSERT, rows)
    if recording.updated:
        rows = [
            {"of_batch": key, "of_job": result.job_id, **_values(result, source, fingerprints, time_of[key])}
            for key, result in recording.updated
        ]
        is_named = _add_names(rows, "name", recording.updated)
        await connection.execute(_UPDATE_NAMED if is_named else _UPDATE, rows)
    await save_batches(connection, before, recording.changed)
    recorded = (*recording.inserted, *recording.updated)
    failed_jobs = await count_changes(connection, changes_of(recorded, superseded, fingerprints))
    detailed = with_kept_details(recorded, superseded, fingerprints, failed_jobs)
    obsolete = {job for job, failure in superseded.items() if failure.has_details}
    # A server before schema 0010 may have replaced a failure and left its details.
    obsolete |= {(key, result.job_id) for key, result in recording.updated if result.error_details}
    await replace_details(connection, obsolete, detailed)


def _superseded_failures(recording: Recording, stored: StoredAttempts) -> Iterator[tuple[int, str]]:
    """Yield the jobs whose recorded failures are replaced."""
    updated = ((key, result.job_id) for key, result in recording.updated)
    return (job for job in updated if stored[job].outcome is JobOutcome.FAILED)


def _values(
    result: JobResult, source: ResultSource, fingerprints: Fingerprints, record_time: datetime | None
) -> dict[str, Any]:
    failed = result.outcome is JobOutcome.FAILED
    return {
        "attempt": result.attempt,
        "outcome": int(result.outcome),
        "source": int(source),
        "error_type": result.error_type or None,
        "error_message": result.error_message or None,
        "error_kind": fingerprints[result.error_type, result.error_message] if failed else None,
        "record_time": record_time,
    }


def _add_names(rows: list[dict[str, Any]], column: str, results: Sequence[tuple[int, JobResult]]) -> bool:
    """Add the names of the jobs to their rows, if any job has one; return whether one has.

    Rows without the column are written faster, and most groups have no names.
    """
    if not any(result.display_name for _, result in results):
        return False
    for row, (_, result) in zip(rows, results, strict=True):
        row[column] = result.display_name or None
    return True


def _keys(batches: Collection[Batch], results: Iterable[JobResult]) -> Iterator[tuple[int, str]]:
    key_of = {batch.batch_id: batch.batch_key for batch in batches}
    return ((key_of[one.batch_id], one.job_id) for one in results if one.batch_id in key_of)
