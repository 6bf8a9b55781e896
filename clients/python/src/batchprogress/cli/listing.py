"""list: the batches on the server."""

from itertools import islice
from typing import Annotated

import typer

from batchprogress.bar_line import counts_of
from batchprogress.cli.arguments import labels_in, moment, optional_identifier
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean, details_of, labels_of
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


def list_(  # noqa: PLR0913  # one for each option
    session: Session,
    *,
    state: Annotated[BatchState | None, typer.Option(help="List only batches in this state.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="List only batches with this label; may be repeated."),
    ] = None,
    id_prefix: Annotated[
        str,
        typer.Option(
            metavar="TEXT", callback=optional_identifier, help="List only batches whose ids begin with TEXT."
        ),
    ] = "",
    stalled: Annotated[bool, typer.Option("--stalled", help="List only batches that have stalled.")] = False,
    with_failures: Annotated[
        bool, typer.Option("--with-failures", help="List only batches with failed jobs.")
    ] = False,
    created_from: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="List only batches created at TIME or later, such as 2026-11-30 or 2026-11-30T14:00; local"
            " time unless it has a zone.",
        ),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="List only batches created before TIME.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="List at most N batches, the newest.")
    ] = LISTED_DEFAULT,
) -> None:
    """List batches, newest first.

    A terminal gets the columns for which it has room, and files and pipes get all of them.
    """
    batches = session.client.list(
        state=state,
        labels=labels_in(label or ()),
        batch_id_prefix=id_prefix,
        stalled=stalled,
        with_failures=with_failures,
        created_from=moment("--created-from", created_from),
        created_before=moment("--created-before", created_before),
        page_size=page_size_for(limit),
    )
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
