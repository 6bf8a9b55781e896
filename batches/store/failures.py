"""Lists the failures of a batch in groups of similar errors."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, select

from batches.failure_groups import (
    OTHER_KINDS,
    FailureGroup,
    FailurePage,
    GroupCounter,
    GroupTally,
    in_order,
)
from batches.fingerprint import as_text, from_text, template_of
from batches.result import JobOutcome
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.failure_groups import count_rows, failures_with_rows, read_tallies
from batches.store.rows import read_batch

FAILURES_GROUPED_MAX = 200_000
"""Failures counted in the rows by one call, while the stored counts are wrong: about a second of the
database's time. This many show what is wrong, and the batch's own counters give the exact number."""
FAILURES_SEARCHED_MAX = 2_000
"""Failures searched for new samples of groups whose first job has a later result: some ten milliseconds."""

_results = schema.job_results.c
_groups = schema.failure_groups.c

Sample = tuple[str, str, str]
"""A job of a group, its error_type and its error_message."""


async def list_failure_groups(
    connection: AsyncConnection, batch_id: str, *, after: int, size: int
) -> FailurePage:
    """Return some failure groups of a batch, the largest first. The connection must read a snapshot.

    Servers of schemas before 0008 do not count: as long as the counts differ from the number of failures, the
    groups are those of the rows.

    Args:
        connection: The transaction.
        batch_id: The batch.
        after: How many groups are on the pages before.
        size: The maximum number of groups on the page.

    Raises:
        BatchNotFound: there is no such batch.

    """
    batch = await read_batch(connection, batch_id)
    tallies = await read_tallies(connection, batch.batch_key)
    if not are_true(tallies, failures_with_rows(batch)):
        tallies = await count_rows(connection, batch.batch_key, GroupCounter(), FAILURES_GROUPED_MAX)
    ordered = in_order(tallies)
    page = ordered[after : after + size]
    samples = await _read_samples(connection, batch.batch_key, page)
    return FailurePage([_to_group(one, samples) for one in page], len(ordered))


def are_true(tallies: Collection[GroupTally], failures: int) -> bool:
    """Return whether counts can be those of this many failures. Pure."""
    return sum(one.failed_jobs for one in tallies) == failures and all(
        one.failed_jobs >= 0 for one in tallies
    )


def _to_group(tally: GroupTally, samples: Mapping[str, Sample]) -> FailureGroup:
    job_id, error_type, message = samples.get(tally.fingerprint, ("", "", ""))
    return FailureGroup(
        error_type=error_type,
        failed_jobs=tally.failed_jobs,
        message_template=template_of(message),
        sample_error_message=message,
        sample_job_id=job_id,
        fingerprint=tally.fingerprint,
    )


async def _read_samples(
    connection: AsyncConnection, batch_key: int, page: Sequence[GroupTally]
) -> dict[str, Sample]:
    """Return a failure of each group with a fingerprint, by fingerprint.

    No job of a group comes before its stored sample. If that job has a later result, the next failure of the
    group is searched for behind it; if it is not found soon, the stored error is returned without a job.
    """
    own = {one.fingerprint: one.first_job_id for one in page if one.fingerprint != OTHER_KINDS}
    samples = await _read_failures(connection, batch_key, own.values())
    missing = own.keys() - samples.keys()
    if missing:
        after = min(own[fingerprint] for fingerprint in missing)
        next_jobs = await _search(connection, batch_key, missing, after)
        samples |= await _read_failures(connection, batch_key, next_jobs)
        stored = await _read_stored(connection, batch_key, own.keys() - samples.keys())
        samples = stored | samples
    return samples


async def _read_failures(
    connection: AsyncConnection, batch_key: int, job_ids: Collection[str]
) -> dict[str, Sample]:
    """Return those of the jobs that failed, by the fingerprint of their error."""
    query = (
        select(_results.error_kind, _results.job_id, _results.error_type, _results.error_message)
        .where(_results.batch_key == batch_key, _results.job_id.in_(list(job_ids)))
        .where(_results.outcome == int(JobOutcome.FAILED), _results.error_kind.is_not(None))
        .order_by(_results.job_id.desc())
    )
    # The first job is last and wins: the former sample of another group may have joined this one.
    return {
        as_text(kind): (job_id, error_type or "", message or "")
        for kind, job_id, error_type, message in await connection.execute(query)
    }


async def _search(
    connection: AsyncConnection, batch_key: int, fingerprints: Collection[str], after_job_id: str
) -> Sequence[str]:
    """Return the first job of each kind among the next failures, as far as they have one."""
    failures = (
        select(_results.job_id, _results.error_kind)
        .where(_results.batch_key == batch_key, _results.outcome == int(JobOutcome.FAILED))
        .where(_results.job_id > after_job_id)
        .order_by(_results.job_id)
        .limit(FAILURES_SEARCHED_MAX)
        .subquery()
        .c
    )
    query = (
        select(func.min(failures.job_id))
        .where(failures.error_kind.in_(list(map(from_text, fingerprints))))
        .group_by(failures.error_kind)
    )
    return (await connection.scalars(query)).all()


async def _read_stored(
    connection: AsyncConnection, batch_key: int, fingerprints: Collection[str]
) -> dict[str, Sample]:
    query = select(_groups.fingerprint, _groups.error_type, _groups.sample_error_message).where(
        _groups.batch_key == batch_key, _groups.fingerprint.in_(list(fingerprints))
    )
    rows = await connection.execute(query)
    return {fingerprint: ("", error_type, message) for fingerprint, error_type, message in rows}
