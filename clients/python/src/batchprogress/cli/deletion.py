"""delete: removes everything that is kept of a batch."""

import sys
from typing import Annotated

import typer

from batchprogress.bar_line import end_of
from batchprogress.cli.arguments import BatchId
from batchprogress.cli.cli_errors import CommandError, ExitCode
from batchprogress.cli.formatting import clean
from batchprogress.cli.session import Session


def delete(
    session: Session,
    batch_id: BatchId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
) -> None:
    """Delete a batch that has ended, with all its data."""
    if not yes:
        _confirm(session, batch_id)
    session.client.delete(batch_id)
    if session.out.as_json:
        session.out.values({"batch_id": batch_id})
    else:
        session.out.line(f"{batch_id}: deleted")


def _confirm(session: Session, batch_id: str) -> None:
    """Ask the person at the terminal.

    Raises:
        BadParameter: there is no terminal.
        BatchNotFound: there is no such batch.
        CommandError: the answer is no.

    """
    if not sys.stdin.isatty():
        raise typer.BadParameter("required if standard input is not a terminal", param_hint="--yes")
    batch = session.client.get(batch_id)
    name = f" ({clean(batch.display_name)})" if batch.display_name else ""
    results = f"{batch.ended_jobs:,} {'result' if batch.ended_jobs == 1 else 'results'}"
    what = f"batch {batch.batch_id}{name}, {end_of(batch)}, {results}"
    if not typer.confirm(f"Delete {what}? This cannot be undone.", err=True):
        raise CommandError("nothing was deleted", ExitCode.WITH_FAILURES)
