"""watch: batches, live."""

import asyncio
from typing import Annotated

import typer

from batchprogress.cli.arguments import identifiers, labels_in
from batchprogress.cli.following import follow
from batchprogress.cli.following_selection import Selection, follow_selection
from batchprogress.cli.selection_view import selection_view_for
from batchprogress.cli.session import Session
from batchprogress.cli.views import view_for


def watch(
    session: Session,
    batch_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", callback=identifiers, help="The batches.")
    ] = None,
    *,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Watch all batches with this label, instead of IDs; may be repeated."
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Watch all batches whose ids begin with this, instead of IDs."),
    ] = None,
) -> None:
    """Watch batches until they end, even while servers restart.

    A terminal shows a bar for each batch. Elsewhere a line is printed every ten percent, when a batch stalls
    and when it has ended; with --json, for each change.

    With --label or --prefix it watches all batches that match, also those that are created later, until
    Ctrl-C. At most 1,000 of them may be processing. A terminal shows the bars for which it has room; a batch
    that has ended stands above them.

    Exit codes: 0 all completed without failures; 1 completed, some jobs failed; 3 a batch was cancelled; 4 a
    batch does not exist; 5 the server was unavailable for longer than --timeout. With several batches, the
    highest of their codes is used. With --label or --prefix: 130 for Ctrl-C, 5, or 6 the server refused.
    """
    if label or prefix is not None:
        if batch_ids:
            raise typer.BadParameter("give either IDs, or --label and --prefix")
        _watch_selection(session, Selection(labels_in(label or ()), prefix or ""))
    elif not batch_ids:
        raise typer.BadParameter("give the IDs of batches, or --label, or --prefix")
    else:
        _watch_batches(session, batch_ids)


def _watch_batches(session: Session, batch_ids: list[str]) -> None:
    view, shown = view_for(session.out, batch_ids)
    with shown:
        codes = asyncio.run(follow(session.async_client, batch_ids, view))
    if code := max(codes):
        raise typer.Exit(code)


def _watch_selection(session: Session, selection: Selection) -> None:
    view, shown = selection_view_for(session.out)
    with shown:
        asyncio.run(follow_selection(session.async_client, selection, view))
