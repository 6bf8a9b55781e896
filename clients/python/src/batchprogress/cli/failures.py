"""failures: the errors of a batch, and its failed jobs."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean
from batchprogress.cli.limited import first, page_size_for
from batchprogress.cli.output import Output
from batchprogress.cli.session import Session
from batchprogress.cli.table import Column, Row
from batchprogress.models import FailureGroup, JobOutcome, JobResult

SHOWN_DEFAULT = 100
"""A few screens: to see all of a million failed jobs, ask for them."""
GROUP_COLUMNS = (
    Column("failed"),
    Column("error type", least=12),
    Column("example job", dropped=1),
    Column("fingerprint"),
    Column("error", least=38, folds=True),  # a UUID in brackets stays whole
)
JOB_COLUMNS = (
    Column("job"),
    Column("name", least=12, dropped=3),
    Column("attempt", dropped=2),
    Column("error type", least=12),
    Column("recorded", dropped=1),
    Column("error", least=20, folds=True),
)


def failures(  # noqa: PLR0913  # options, by keyword only
    session: Session,
    batch_id: BatchId,
    *,
    jobs: Annotated[bool, typer.Option("--jobs", help="Also list the failed jobs, by job id.")] = False,
    fingerprint: Annotated[
        str,
        typer.Option(metavar="TEXT", help="List only the failed jobs of one group."),
    ] = "",
    job_prefix: Annotated[
        str,
        typer.Option(metavar="TEXT", help="List only the failed jobs whose ids begin with TEXT."),
    ] = "",
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="List at most N groups, and N jobs.")
    ] = SHOWN_DEFAULT,
) -> None:
    """Show the failures of a batch, grouped by their errors.

    With --json, print one group per line; with --jobs, --fingerprint or --job-prefix too, one failed job
    per line.
    """
    client, out = session.client, session.out
    size = page_size_for(limit)
    failed = client.results(
        batch_id,
        outcome=JobOutcome.FAILED,
        fingerprint=fingerprint,
        job_id_prefix=job_prefix,
        page_size=size,
    )
    groups = client.failures(batch_id, page_size=size)
    if out.as_json:
        listed: Iterable[JobResult | FailureGroup] = failed if jobs or fingerprint or job_prefix else groups
        for one in islice(listed, limit):
            out.message(one.message)
        return
    if fingerprint or job_prefix:
        _list_jobs(out, first(failed, limit))
    elif not out.table(GROUP_COLUMNS, map(_group_row, first(groups, limit))):
        say("no failures")
    elif jobs:
        out.line("")
        _list_jobs(out, first(failed, limit))


def _list_jobs(out: Output, failed: Iterable[JobResult]) -> None:
    out.table(JOB_COLUMNS, map(_job_row, failed))


def _group_row(group: FailureGroup) -> Row:
    has_further_kinds = not (group.fingerprint or group.sample_job_id)
    kind = clean(group.error_type) or ("(all other kinds)" if has_further_kinds else "(none given)")
    error = clean(group.sample_error_message)
    return f"{group.failed_jobs:,}", kind, group.sample_job_id, group.fingerprint, error


def _job_row(result: JobResult) -> Row:
    return (
        result.job_id,
        clean(result.display_name),
        f"{result.attempt:,}",
        clean(result.error_type),
        result.record_time,
        clean(result.error_message),
    )
