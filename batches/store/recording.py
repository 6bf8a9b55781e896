"""The statement sequence by which every result is recorded, a worker's or a repair's."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch
from batches.fingerprint import kind_of
from batches.recording import Recording, record
from batches.result import JobOutcome, JobResult, ResultSource
from batches.store import schema
from batches.store.attempts import read_attempts
from batches.store.rows import lock_batches, save_batches

THREAD_TEXTS_MIN = 100
"""From so many different texts on, some 10 ms of work if they are long, a thread looks at them, and the event
loop goes on answering."""

Kinds = Mapping[tuple[str, str], int]
"""The kinds of errors, by error_type and error_message."""

_table = schema.job_results.c
_INSERT = insert(schema.job_results)
# Sets the columns that the rows given to it name: those of _values.
_UPDATE = update(schema.job_results).where(
    _table.batch_key == bindparam("of_batch"), _table.job_id == bindparam("of_job")
)


async def kinds_of(results: Iterable[JobResult]) -> Kinds:
    """Return the kinds of the failures, each text looked at once: to be made before any lock is held."""
    errors = {(one.error_type, one.error_message) for one in results if one.outcome is JobOutcome.FAILED}
    if len(errors) < THREAD_TEXTS_MIN:
        return _kinds(errors)
    return await asyncio.to_thread(_kinds, errors)


def _kinds(errors: Iterable[tuple[str, str]]) -> Kinds:
    return {error: kind_of(*error) for error in errors}


async def record_results(
    connection: AsyncConnection, results: Sequence[JobResult], source: ResultSource, kinds: Kinds
) -> Recording:
    """Lock the batches, read what is recorded of these jobs, decide, write. The caller commits."""
    batches = await lock_batches(connection, {result.batch_id for result in results})
    stored = await read_attempts(connection, _keys(batches, results))
    recording = record(batches, stored, results, source)
    await write_recording(connection, recording, source, kinds)
    return recording


async def write_recording(
    connection: AsyncConnection, recording: Recording, source: ResultSource, kinds: Kinds
) -> None:
    """Write the rows of a recording, and the changed batches after them."""
    time_of = {batch.batch_key: batch.last_result_time for batch in recording.changed}
    if recording.inserted:
        rows = [
            {"batch_key": key, "job_id": result.job_id, **_values(result, source, kinds, time_of[key])}
            for key, result in recording.inserted
        ]
        await connection.execute(_INSERT, rows)
    if recording.updated:
        rows = [
            {"of_batch": key, "of_job": result.job_id, **_values(result, source, kinds, time_of[key])}
            for key, result in recording.updated
        ]
        await connection.execute(_UPDATE, rows)
    await save_batches(connection, recording.changed)


def _values(
    result: JobResult, source: ResultSource, kinds: Kinds, record_time: datetime | None
) -> dict[str, Any]:
    failed = result.outcome is JobOutcome.FAILED
    return {
        "attempt": result.attempt,
        "outcome": int(result.outcome),
        "source": int(source),
        "error_type": result.error_type or None,
        "error_message": result.error_message or None,
        "error_kind": kinds[result.error_type, result.error_message] if failed else None,
        "record_time": record_time,
    }


def _keys(batches: Collection[Batch], results: Iterable[JobResult]) -> Iterator[tuple[int, str]]:
    key_of = {batch.batch_id: batch.batch_key for batch in batches}
    return ((key_of[one.batch_id], one.job_id) for one in results if one.batch_id in key_of)
