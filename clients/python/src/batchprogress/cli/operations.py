"""passes and info: what the reconciler did, and what the server tells about itself."""

from itertools import islice
from typing import Annotated

import typer

from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean, moment
from batchprogress.cli.limited import first, page_size_for
from batchprogress.cli.session import Session
from batchprogress.cli.table import Column, Row
from batchprogress.models import Pass, ServerInfo

LISTED_DEFAULT = 12
"""An hour of a pass every five minutes."""
COLUMNS = (
    Column("began"),
    Column("seconds"),
    Column("by"),
    Column("looked at"),
    Column("repaired"),
    Column("left"),
    Column("errors"),
    Column("details", least=20, dropped=1, folds=True),
)


def passes(
    session: Session,
    *,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="List only passes of the schedule, not those by hand.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="List at most N passes, the newest.")
    ] = LISTED_DEFAULT,
) -> None:
    """List the passes of the reconciler, newest first."""
    size = page_size_for(limit)
    found = (one for one in session.client.passes(page_size=size) if not (scheduled and one.manual))
    if session.out.as_json:
        for one in islice(found, limit):
            session.out.message(one.message)
    elif not session.out.table(COLUMNS, map(_row, first(found, limit))):
        say("no passes")


def info(session: Session) -> None:
    """Show the server, its database and the roles of the token.

    It also says when the last pass of the reconciler ended.
    """
    found = session.client.server_info()
    if session.out.as_json:
        session.out.message(found.message)
        return
    for name, value in _facts(found):
        session.out.line(f"{name:<12} {value}")


def _facts(found: ServerInfo) -> list[tuple[str, str]]:
    return [
        ("version", found.version),
        ("database", found.database),
        ("caller", found.caller or "anyone: the server requires no token"),
        ("roles", ", ".join(found.roles)),
        ("batches", f"those that begin with {found.batch_prefix}" if found.batch_prefix else "all"),
        ("last pass", moment(found.last_pass_time) or "none has ended"),
    ]


def _row(one: Pass) -> Row:
    left = ", ".join(f"{number:,} {reason}" for reason, number in sorted(one.batches_left.items()))
    seconds = "" if one.end_time is None else f"{(one.end_time - one.start_time).total_seconds():,.1f}"
    has_not_ended = "running, or killed" if one.end_time is None else ""
    return (
        one.start_time,
        seconds,
        "hand" if one.manual else "schedule",
        f"{one.batches_looked_at:,}",
        f"{one.batches_repaired:,}",
        f"{sum(one.batches_left.values()):,}",
        f"{one.errors:,}",
        "; ".join(filter(None, (has_not_ended, clean(one.cut_short), clean(left)))),
    )
