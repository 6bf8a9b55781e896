"""job: the result of one job, with the details of its error."""

from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.formatting import clean, clean_lines, moment
from batchprogress.cli.session import Session
from batchprogress.models import JobResult


def job(
    session: Session,
    batch_id: BatchId,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job.", show_default=False)],
) -> None:
    """Show how a job ended, with its error and stack trace.

    The server keeps stack traces of the first 100 failures of each group.
    """
    result = session.client.job_result(batch_id, job_id)
    if session.out.as_json:
        session.out.message(result.message)
        return
    for name, value in _facts(result):
        if value:
            session.out.line(f"{name:<12} {value}")
    if result.error_details:
        session.out.line("")
        for line in clean_lines(result.error_details):
            session.out.line(line)


def _facts(result: JobResult) -> list[tuple[str, str]]:
    """Return what there is to tell about a result; an empty value is not shown."""
    by_reconciler = ", by the reconciler" if result.reconciled else ""
    return [
        ("job", result.job_id),
        ("name", clean(result.display_name)),
        ("outcome", result.outcome),
        ("attempt", f"{result.attempt:,}"),
        ("recorded", moment(result.record_time) + by_reconciler),
        ("error type", clean(result.error_type)),
        ("error", clean(result.error_message)),
    ]
