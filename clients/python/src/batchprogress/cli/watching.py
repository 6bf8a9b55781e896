"""watch: batches, live, until they have ended."""

import asyncio

import typer

from batchprogress.cli.arguments import BatchIds
from batchprogress.cli.following import follow
from batchprogress.cli.session import Session
from batchprogress.cli.views import view_for


def watch(session: Session, batch_ids: BatchIds) -> None:
    """Watch batches until each has ended, even while servers restart.

    A terminal shows a bar for each batch. Elsewhere a line is printed every ten percent, when a batch stalls
    and when it has ended; with --json, for each change.

    Exit codes: 0 all completed without failures; 1 completed, some jobs failed; 3 a batch was cancelled; 4 a
    batch does not exist; 5 the server was unavailable for longer than --timeout. With several batches, the
    highest of their codes is used.
    """
    view, shown = view_for(session.out, batch_ids)
    with shown:
        codes = asyncio.run(follow(session.async_client, batch_ids, view))
    if code := max(codes):
        raise typer.Exit(code)
