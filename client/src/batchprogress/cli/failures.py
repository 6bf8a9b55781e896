"""failures: the errors of a batch, and its failed jobs."""

from itertools import islice
from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean, moment
from batchprogress.cli.limited import first, page_size_for
from batchprogress.cli.session import Session
from batchprogress.models import FailureGroup, JobOutcome, JobResult

JOBS_DEFAULT = 100
"""A few screens: to see all of a million failed jobs, ask for them."""


def failures(
    session: Session,
    batch_id: BatchId,
    *,
    jobs: Annotated[bool, typer.Option("--jobs", help="Also list the failed jobs, by job id.")] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="List at most N jobs.")] = JOBS_DEFAULT,
) -> None:
    """Show the failures of a batch, grouped by their errors; with --json one group per line.

    With --json and --jobs, print one failed job per line instead.
    """
    client, out = session.client, session.out
    failed = client.results(batch_id, outcome=JobOutcome.FAILED, page_size=page_size_for(limit))
    if out.as_json:
        shown = islice(failed, limit) if jobs else client.failures(batch_id)
        for one in shown:
            out.message(one.message)
        return
    groups = client.failures(batch_id)
    if not groups:
        say("no failures")
        return
    out.table(("failed", "error type", "example job", "error"), map(_group_row, groups))
    if jobs:
        out.line("")
        rows = map(_job_row, first(failed, limit))
        out.table(("job", "name", "attempt", "error type", "error", "recorded"), rows)


def _group_row(group: FailureGroup) -> tuple[str, ...]:
    kind = clean(group.error_type) or "(none given)"
    return f"{group.failed_jobs:,}", kind, group.sample_job_id, clean(group.sample_error_message)


def _job_row(result: JobResult) -> tuple[str, ...]:
    return (
        result.job_id,
        clean(result.display_name),
        f"{result.attempt:,}",
        clean(result.error_type),
        clean(result.error_message),
        moment(result.record_time),
    )
