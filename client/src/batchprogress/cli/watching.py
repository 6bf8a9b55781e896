"""watch: batches, live, until they end."""

from typing import Annotated

import typer

from batchprogress.cli.arguments import identifiers
from batchprogress.cli.cli_errors import Complaint, Exit
from batchprogress.cli.following import follow
from batchprogress.cli.session import Session
from batchprogress.cli.views import view_for
from batchprogress.v1 import progress_pb2 as pb


def watch(
    session: Session,
    batch_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", callback=identifiers, help="The batches.")
    ],
) -> None:
    """Watch batches until each has ended, through restarts of the server.

    On a terminal a bar for each; elsewhere a line each ten percent, when a batch stalls and when it ends;
    with --json a line for each change.

    Exit codes: 0 all completed without failures; 1 completed, some jobs failed; 3 a batch was cancelled;
    4 there is no such batch; 5 the server was away for longer than --timeout. Of several batches the
    highest code counts.
    """
    unique = list(dict.fromkeys(batch_ids))
    view, shown = view_for(session.out, unique)
    with shown:
        ends = session.client.run(follow(session.client, unique, view))
    if code := max(map(_code_of, ends)):
        raise typer.Exit(code)


def _code_of(end: pb.Batch | Complaint) -> Exit:
    if isinstance(end, Complaint):
        return end.code
    if end.state == pb.BATCH_STATE_CANCELLED:
        return Exit.CANCELLED
    return Exit.WITH_FAILURES if end.failed_jobs else Exit.COMPLETED
