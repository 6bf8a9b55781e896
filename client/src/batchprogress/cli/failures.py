"""failures: the errors of a batch, and its failed jobs."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean, moment
from batchprogress.cli.limited import first, page_size_for
from batchprogress.cli.output import Output
from batchprogress.cli.session import Session
from batchprogress.models import FailureGroup, JobOutcome, JobResult

SHOWN_DEFAULT = 100
"""A few screens: to see all of a million failed jobs, ask for them."""


def failures(
    session: Session,
    batch_id: BatchId,
    *,
    jobs: Annotated[bool, typer.Option("--jobs", help="Also list the failed jobs, by job id.")] = False,
    fingerprint: Annotated[
        str,
        typer.Option(metavar="TEXT", help="List only the failed jobs of one group."),
    ] = "",
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="List at most N groups, and N jobs.")
    ] = SHOWN_DEFAULT,
) -> None:
    """Show the failures of a batch, grouped by their errors; with --json one group per line.

    With --json and --jobs or --fingerprint, print one failed job per line instead.
    """
    client, out = session.client, session.out
    size = page_size_for(limit)
    failed = client.results(batch_id, outcome=JobOutcome.FAILED, fingerprint=fingerprint, page_size=size)
    groups = client.failures(batch_id, page_size=size)
    if out.as_json:
        listed: Iterable[JobResult | FailureGroup] = failed if jobs or fingerprint else groups
        for one in islice(listed, limit):
            out.message(one.message)
        return
    if fingerprint:
        _list_jobs(out, first(failed, limit))
    elif shown := first(groups, limit):
        heads = ("failed", "error type", "example job", "fingerprint", "error")
        out.table(heads, map(_group_row, shown))
        if jobs:
            out.line("")
            _list_jobs(out, first(failed, limit))
    else:
        say("no failures")


def _list_jobs(out: Output, failed: Iterable[JobResult]) -> None:
    out.table(("job", "name", "attempt", "error type", "error", "recorded"), map(_job_row, failed))


def _group_row(group: FailureGroup) -> tuple[str, ...]:
    has_further_kinds = not (group.fingerprint or group.sample_job_id)
    kind = clean(group.error_type) or ("(all other kinds)" if has_further_kinds else "(none given)")
    error = clean(group.sample_error_message)
    return f"{group.failed_jobs:,}", kind, group.sample_job_id, group.fingerprint, error


def _job_row(result: JobResult) -> tuple[str, ...]:
    return (
        result.job_id,
        clean(result.display_name),
        f"{result.attempt:,}",
        clean(result.error_type),
        clean(result.error_message),
        moment(result.record_time),
    )
