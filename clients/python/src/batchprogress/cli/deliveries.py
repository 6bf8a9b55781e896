"""deliveries: webhooks on their way, and sending one again."""

from itertools import islice
from typing import Annotated

import typer

from batchprogress.cli.arguments import identifier
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean
from batchprogress.cli.limited import first, page_size_for
from batchprogress.cli.session import Session
from batchprogress.cli.table import Column, Row
from batchprogress.models import Delivery, DeliveryState

LISTED_DEFAULT = 50
"""A screen or two."""
TO_URL = "(notify_url)"
COLUMNS = (
    Column("delivery"),
    Column("state"),
    Column("event", dropped=3),
    Column("batch", least=8),
    Column("to", least=6, dropped=2),
    Column("tries", dropped=5),
    Column("next", dropped=4),
    Column("last answer", least=8, dropped=1, folds=True),
)


def deliveries(
    session: Session,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="List only deliveries that were given up.")] = False,
    batch: Annotated[
        str | None,
        typer.Option(metavar="ID", callback=identifier, help="List only deliveries of this batch."),
    ] = None,
    retry: Annotated[
        str | None,
        typer.Option(
            metavar="ID", callback=identifier, help="Send this delivery again, and list nothing else."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="List at most N deliveries, the newest.")
    ] = LISTED_DEFAULT,
) -> None:
    """List the deliveries of webhooks, newest first.

    With --retry, send a delivery again that was delivered or given up, with the same webhook-id.
    """
    client, out = session.client, session.out
    if retry:
        if dead or batch:
            raise typer.BadParameter("excludes --dead and --batch", param_hint="--retry")
        again = client.retry_delivery(retry)
        if out.as_json:
            out.message(again.message)
        else:
            out.line(f"{again.delivery_id}: {again.state}")
        return
    state = DeliveryState.DEAD if dead else None
    found = client.deliveries(batch_id=batch or "", state=state, page_size=page_size_for(limit))
    if out.as_json:
        for one in islice(found, limit):
            out.message(one.message)
    elif not out.table(COLUMNS, map(_row, first(found, limit))):
        say("no deliveries")


def _row(one: Delivery) -> Row:
    return (
        one.delivery_id,
        one.state,
        one.event_type.removeprefix("batch."),
        one.batch_id,
        clean(one.subscription) or TO_URL,
        f"{one.attempts:,}",
        one.next_attempt_time,
        clean(one.last_answer),
    )
