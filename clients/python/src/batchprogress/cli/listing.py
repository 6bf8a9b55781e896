"""list: the batches on the server."""

from itertools import islice
from typing import Annotated

import typer

from batchprogress.cli.arguments import labels_in
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean, counts_of, details_of, labels_of
from batchprogress.cli.limited import first, page_size_for
from batchprogress.cli.session import Session
from batchprogress.cli.table import Column, Row
from batchprogress.models import Batch, BatchState

LISTED_DEFAULT = 50
"""A screen or two."""
COLUMNS = (
    Column("batch"),
    Column("state"),
    Column("jobs"),
    Column("percent"),
    Column("details", least=8, dropped=1),  # as in `9 failed`
    Column("created", dropped=2),
    Column("name", least=12, dropped=3),
    Column("labels", least=12, dropped=4),
)


def list_(
    session: Session,
    *,
    state: Annotated[BatchState | None, typer.Option(help="List only batches in this state.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="List only batches with this label; may be repeated."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="List at most N batches, the newest.")
    ] = LISTED_DEFAULT,
) -> None:
    """List batches, newest first; with --json one per line.

    A terminal gets the columns for which it has room, and files and pipes get all of them.
    """
    batches = session.client.list(state=state, labels=labels_in(label or ()), page_size=page_size_for(limit))
    if session.out.as_json:
        for batch in islice(batches, limit):
            session.out.message(batch.message)
    elif not session.out.table(COLUMNS, map(_row, first(batches, limit))):
        say("no batches")


def _row(batch: Batch) -> Row:
    details = details_of(batch)
    return (
        batch.batch_id,
        batch.state,
        counts_of(batch),
        f"{batch.percent_complete} %",
        ", ".join(details[:-1] if batch.has_ended else details),  # the state has a column of its own
        batch.create_time,
        clean(batch.display_name),
        labels_of(batch),
    )
