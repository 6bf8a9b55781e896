"""create, add, seal, cancel: what the owner of a batch does with it."""

from enum import Enum
from typing import Annotated

import typer

from batchprogress._limits import FAILED_PERCENT_MAX, JOBS_MAX
from batchprogress.cli.arguments import BatchId, identifier, labels_in
from batchprogress.cli.formatting import progress_of
from batchprogress.cli.output import values_of
from batchprogress.cli.session import Session
from batchprogress.models import Batch


class IfEnded(Enum):
    """The choices of `Client.create`."""

    RETURN = "return"
    ERROR = "error"
    REPLACE = "replace"


def create(  # noqa: PLR0913  # options
    session: Session,
    batch_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", callback=identifier, help="The batch. Default: a new UUID."),
    ] = None,
    *,
    total: Annotated[
        int,
        typer.Option(min=0, max=JOBS_MAX, metavar="N", help="The number of jobs (so far, if unsealed)."),
    ],
    unsealed: Annotated[bool, typer.Option("--unsealed", help="Allow adding jobs, until `seal`.")] = False,
    name: Annotated[str, typer.Option(metavar="TEXT", help="A name for people.")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A label to filter by; may be repeated."),
    ] = None,
    if_ended: Annotated[
        IfEnded,
        typer.Option(
            help="If the batch exists and has ended: print its id and a warning, fail with code 6, or replace"
            " it by a new batch, which deletes its results."
        ),
    ] = IfEnded.RETURN,
    max_failed_jobs: Annotated[
        int | None,
        typer.Option(min=0, max=JOBS_MAX, metavar="N", help="Cancel the batch if more than N jobs fail."),
    ] = None,
    max_failed_percent: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=FAILED_PERCENT_MAX,
            metavar="N",
            help="Cancel the batch if more than N percent of its jobs fail; applies once it is sealed.",
        ),
    ] = None,
    notify_url: Annotated[
        str, typer.Option(metavar="URL", help="Also send the webhooks of this batch to this URL.")
    ] = "",
) -> None:
    """Create a batch and print its id.

    Repeating it with the same id and numbers changes nothing.
    """
    if max_failed_jobs is not None and max_failed_percent is not None:
        raise typer.BadParameter("excludes --max-failed-jobs", param_hint="--max-failed-percent")
    batch = session.client.create(
        batch_id,
        total,
        sealed=not unsealed,
        display_name=name,
        labels=labels_in(label or ()),
        if_ended=if_ended.value,
        max_failed_jobs=max_failed_jobs,
        max_failed_percent=max_failed_percent,
        notify_url=notify_url,
    )
    _print(session, batch, batch.batch_id)


def add(
    session: Session,
    batch_id: BatchId,
    jobs: Annotated[int, typer.Argument(min=1, max=JOBS_MAX, metavar="N", help="The number of jobs to add.")],
    *,
    request_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            callback=identifier,
            help="Name this addition: repeating it adds nothing. Default: a new name for each command.",
        ),
    ] = None,
) -> None:
    """Add jobs to an unsealed batch."""
    batch = session.client.add_jobs(batch_id, jobs, request_id)
    _print(session, batch, progress_of(batch))


def seal(session: Session, batch_id: BatchId) -> None:
    """Declare that no more jobs will be added.

    Only a sealed batch can complete.
    """
    batch = session.client.seal(batch_id)
    _print(session, batch, progress_of(batch))


def cancel(session: Session, batch_id: BatchId) -> None:
    """Cancel a batch; results that still arrive are counted."""
    batch = session.client.cancel(batch_id)
    _print(session, batch, progress_of(batch))


def _print(session: Session, batch: Batch, line: str) -> None:
    if session.out.as_json:
        session.out.values({"batch": values_of(batch.message)})
    else:
        session.out.line(line)
