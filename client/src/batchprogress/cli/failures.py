"""failures: what went wrong in a batch, and with which jobs."""

from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.formatting import clean, moment
from batchprogress.cli.session import Session
from batchprogress.v1 import progress_pb2 as pb

JOBS_DEFAULT = 100
"""A few screens: whoever wants each of a million says so."""


def failures(
    session: Session,
    batch_id: BatchId,
    *,
    jobs: Annotated[bool, typer.Option("--jobs", help="Then list the failed jobs, by job id.")] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many jobs.")] = JOBS_DEFAULT,
) -> None:
    """Show the failures of a batch by the kind of their error; with --json a group a line, or a job."""
    client, out = session.client, session.out
    request = pb.ListJobResultsRequest(batch_id=batch_id, outcome=pb.JOB_OUTCOME_FAILED)
    pages = client.pages(client.stub.ListJobResults, request, limit) if jobs else iter(())
    if out.as_json and jobs:
        for page in pages:
            for result in page.job_results:
                out.message(result)
        return
    groups = client.call(
        client.stub.ListFailureGroups, pb.ListFailureGroupsRequest(batch_id=batch_id)
    ).failure_groups
    if out.as_json:
        for group in groups:
            out.message(group)
        return
    if not groups:
        typer.echo("batchprogress: no failures", err=True)
        return
    out.table(("failed", "error type", "for instance job", "error"), map(_group_row, groups))
    if jobs:
        out.line("")
        results = [result for page in pages for result in page.job_results]
        out.table(("job", "attempt", "error type", "error", "recorded"), map(_job_row, results))
        if request.page_token:
            typer.echo(f"batchprogress: there are more than {limit:,}; --limit N lists more", err=True)


def _group_row(group: pb.FailureGroup) -> tuple[str, ...]:
    kind = clean(group.error_type) or "(none given)"
    return f"{group.failed_jobs:,}", kind, group.sample_job_id, clean(group.sample_error_message)


def _job_row(result: pb.JobResult) -> tuple[str, ...]:
    return (
        result.job_id,
        f"{result.attempt:,}",
        clean(result.error_type),
        clean(result.error_message),
        moment(result.record_time),
    )
