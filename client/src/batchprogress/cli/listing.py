"""list: which batches there are."""

from enum import StrEnum
from typing import Annotated

import typer

from batchprogress.cli.arguments import labels_in
from batchprogress.cli.formatting import clean, counts_of, labels_of, moment, state_of, tail_of
from batchprogress.cli.session import Session
from batchprogress.v1 import progress_pb2 as pb

LISTED_DEFAULT = 50
"""A screen or two."""


class State(StrEnum):
    """What a batch may be at."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


def list_(
    session: Session,
    *,
    state: Annotated[State | None, typer.Option(help="Only batches of this state.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only batches with this label; may be repeated."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="At most so many, the newest.")
    ] = LISTED_DEFAULT,
) -> None:
    """List batches, newest first; with --json a batch a line."""
    request = pb.ListBatchesRequest(labels=labels_in(label or ()))
    if state is not None:
        request.state = pb.BatchState.Value(f"BATCH_STATE_{state.name}")
    pages = session.client.pages(session.client.stub.ListBatches, request, limit)
    if session.out.as_json:
        for page in pages:
            for batch in page.batches:
                session.out.message(batch)
        return
    batches = [batch for page in pages for batch in page.batches]
    columns = ("batch", "state", "jobs", "percent", "what", "created", "name", "labels")
    if batches:
        session.out.table(columns, map(_row, batches))
    else:
        typer.echo("batchprogress: no batches", err=True)
    if request.page_token:
        typer.echo(f"batchprogress: there are more than {limit:,}; --limit N lists more", err=True)


def _row(batch: pb.Batch) -> tuple[str, ...]:
    is_processing = batch.state == pb.BATCH_STATE_PROCESSING
    what = tail_of(batch) if is_processing else tail_of(batch)[:-1]  # the state has its own column
    return (
        batch.batch_id,
        state_of(batch.state),
        counts_of(batch),
        f"{batch.percent_complete} %",
        ", ".join(what),
        moment(batch.create_time),
        clean(batch.display_name),
        labels_of(batch),
    )
