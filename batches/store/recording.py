"""The statement sequence that records every result, whether a worker or the reconciler reports it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy.exc import IntegrityError

from batches.batch import Batch
from batches.error_details import with_kept_details
from batches.errors import BatchFull
from batches.failure_groups import Fingerprints, changes_of
from batches.fingerprint import fingerprint_of
from batches.recording import Recording, StoredAttempts, record
from batches.result import JobOutcome, JobResult, ResultSource
from batches.store.attempts import read_failures
from batches.store.connections import AsyncConnection
from batches.store.error_details import replace_details
from batches.store.failure_groups import count_changes
from batches.store.locking import BatchKeys, lock_batches, lock_for
from batches.store.rows import saving
from batches.store.script import COMMIT, Statement, Value, run_script, to_value

THREAD_ERRORS_MIN = 100
"""From this many different errors on, a thread computes the fingerprints, so that the event loop stays free:
long messages take some 10 ms."""

_VALUES = ("attempt", "outcome", "source", "error_type", "error_message", "error_kind", "record_time")
_COLUMNS = f"batch_key, job_id, {', '.join(_VALUES)}"
_INSERT = f"INSERT INTO job_results ({_COLUMNS}) VALUES "  # noqa: S608  # built from constants
_INSERT_NAMED = f"INSERT INTO job_results ({_COLUMNS}, display_name) VALUES "  # noqa: S608
_SET = ", ".join(f"{column} = %s" for column in _VALUES)
_OF_JOB = "WHERE batch_key = %s AND job_id = %s"
_UPDATE = f"UPDATE job_results SET {_SET} {_OF_JOB}"  # noqa: S608
_UPDATE_NAMED = f"UPDATE job_results SET {_SET}, display_name = %s {_OF_JOB}"  # noqa: S608


async def fingerprints_of(results: Iterable[JobResult]) -> Fingerprints:
    """Return the fingerprints of the failures, each computed once. To be called before any lock is held."""
    failed = JobOutcome.FAILED
    errors = {(one.error_type, one.error_message) for one in results if one.outcome is failed}
    if len(errors) < THREAD_ERRORS_MIN:
        return _compute(errors)
    return await asyncio.to_thread(_compute, errors)


def _compute(errors: Iterable[tuple[str, str]]) -> Fingerprints:
    return {error: fingerprint_of(*error) for error in errors}


class AttemptsNeeded(Exception):
    """A job may have a result already, so that the verdicts depend on the recorded attempts."""


async def record_new(
    connection: AsyncConnection,
    results: Sequence[JobResult],
    source: ResultSource,
    fingerprints: Fingerprints,
    keys: BatchKeys,
) -> Recording:
    """Record results as the first ones of their jobs, and commit.

    The primary key of the results shows whether they are.

    Args:
        connection: The transaction.
        results: What to record.
        source: Who reports the results.
        fingerprints: The fingerprints of the failures.
        keys: The keys of batches that are known already.

    Raises:
        AttemptsNeeded: Nothing may be committed.

    """
    batches = await lock_batches(connection, {one.batch_id for one in results}, keys)
    recording = record(batches, {}, results, source)
    if any(isinstance(verdict, BatchFull) for verdict in recording.verdicts):
        raise AttemptsNeeded  # the job may be one of those that the batch is full of
    try:
        await write_recording(connection, recording, {}, source, fingerprints, before=batches, commits=True)
    except IntegrityError as error:
        raise AttemptsNeeded from error
    return recording


async def record_results(  # noqa: PLR0913  # what a transaction depends on
    connection: AsyncConnection,
    results: Sequence[JobResult],
    source: ResultSource,
    fingerprints: Fingerprints,
    keys: BatchKeys,
    *,
    commits: bool = False,
) -> Recording:
    """Lock the batches, read the recorded attempts of the jobs, decide, and write.

    Args:
        connection: The transaction.
        results: What to record.
        source: Who reports the results.
        fingerprints: The fingerprints of the failures.
        keys: The keys of batches that are known already.
        commits: Whether to commit as well, without a statement of its own.

    """
    locked = await lock_for(connection, results, keys)
    recording = record(locked.batches, locked.attempts, results, source)
    await write_recording(
        connection, recording, locked.attempts, source, fingerprints, before=locked.batches, commits=commits
    )
    return recording


async def write_recording(  # noqa: PLR0913  # what a recording is based on
    connection: AsyncConnection,
    recording: Recording,
    stored: StoredAttempts,
    source: ResultSource,
    fingerprints: Fingerprints,
    *,
    before: Iterable[Batch],
    also: Sequence[Statement] = (),
    commits: bool = False,
) -> None:
    """Write the rows of a recording, the changed batches, and what there is to keep about failures.

    Args:
        connection: The transaction, which holds the locks of the batches.
        recording: What to write.
        stored: The attempts that the recording is based on.
        source: Who reports the results.
        fingerprints: The fingerprints of the failures.
        before: The batches as they were locked.
        also: Statements to run after those.
        commits: Whether to commit as well.

    """
    await _write_failures(connection, recording, stored, fingerprints)
    time_of = {batch.batch_key: to_value(batch.last_result_time) for batch in recording.changed}

    values = _values_by(source, fingerprints, time_of)
    statements = list(_inserting(recording.inserted, values))
    statements += [_updating(key, result, values) for key, result in recording.updated]
    statements += [*await saving(connection, before, recording.changed), *also]
    if commits:
        statements.append(COMMIT)
    if statements:
        await run_script(connection, statements)


async def _write_failures(
    connection: AsyncConnection, recording: Recording, stored: StoredAttempts, fingerprints: Fingerprints
) -> None:
    """Count the failures that are written and replaced, and keep the details of the first ones."""
    superseded = await read_failures(connection, _superseded_failures(recording, stored))
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


_ValuesOf = Callable[[int, JobResult], tuple[Value, ...]]


def _inserting(inserted: Sequence[tuple[int, JobResult]], values: _ValuesOf) -> Iterator[Statement]:
    """Yield the statement that inserts rows. Without names they are written faster, and most have none."""
    if any(result.display_name for _, result in inserted):
        rows = [
            (key, result.job_id, *values(key, result), result.display_name or None)
            for key, result in inserted
        ]
        yield Statement(_INSERT_NAMED, rows=rows)
    elif inserted:
        yield Statement(_INSERT, rows=[(key, one.job_id, *values(key, one)) for key, one in inserted])


def _updating(key: int, result: JobResult, values: _ValuesOf) -> Statement:
    """Return the statement that replaces an earlier attempt; the name stays if the later one has none."""
    if result.display_name:
        return Statement(_UPDATE_NAMED, (*values(key, result), result.display_name, key, result.job_id))
    return Statement(_UPDATE, (*values(key, result), key, result.job_id))


def _values_by(
    source: ResultSource, fingerprints: Fingerprints, record_time_of: Mapping[int, Value]
) -> _ValuesOf:
    """Return the function that returns the values of the columns _VALUES."""
    failed, source_number = JobOutcome.FAILED, int(source)

    def values(key: int, result: JobResult) -> tuple[Value, ...]:
        return (
            result.attempt,
            int(result.outcome),
            source_number,
            result.error_type or None,
            result.error_message or None,
            fingerprints[result.error_type, result.error_message] if result.outcome is failed else None,
            record_time_of[key],
        )

    return values
