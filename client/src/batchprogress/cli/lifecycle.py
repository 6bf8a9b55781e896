"""create, add, seal, cancel: what the one does who owns a batch."""

import uuid
from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId, identifier, labels_in
from batchprogress.cli.formatting import progress_of
from batchprogress.cli.session import Session
from batchprogress.v1 import progress_pb2 as pb

JOBS_MAX = 1_000_000_000
"""The contract's."""


def create(  # noqa: PLR0913  # options
    session: Session,
    batch_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", callback=identifier, help="The batch. Default: a new UUID."),
    ] = None,
    *,
    total: Annotated[
        int,
        typer.Option(min=0, max=JOBS_MAX, metavar="N", help="How many jobs it has, or has so far."),
    ],
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="More jobs will be added; `seal` ends that.")
    ] = False,
    name: Annotated[str, typer.Option(metavar="TEXT", help="A name for people.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label for filtering; may be repeated.")
    ] = None,
) -> None:
    """Create a batch and print its id; the same id and numbers again change nothing."""
    request = pb.CreateBatchRequest(
        # Made here and not by the server: a call that is tried again then makes no second batch.
        batch_id=batch_id or str(uuid.uuid4()),
        total_jobs=total,
        sealed=not unsealed,
        display_name=name,
        labels=labels_in(label or ()),
    )
    response = session.client.call(session.client.stub.CreateBatch, request)
    if session.out.as_json:
        session.out.message(response)
    else:
        session.out.line(response.batch.batch_id)


def add(
    session: Session,
    batch_id: BatchId,
    jobs: Annotated[int, typer.Argument(min=1, max=JOBS_MAX, metavar="N", help="How many jobs to add.")],
    *,
    request_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            callback=identifier,
            help="Names this addition: the same again adds nothing. Default: a new one for each command.",
        ),
    ] = None,
) -> None:
    """Add jobs to an unsealed batch."""
    request = pb.AddJobsRequest(
        batch_id=batch_id, additional_jobs=jobs, request_id=request_id or str(uuid.uuid4())
    )
    _print(session, session.client.call(session.client.stub.AddJobs, request))


def seal(session: Session, batch_id: BatchId) -> None:
    """Say that no more jobs will be added; only then can the batch complete."""
    _print(
        session, session.client.call(session.client.stub.SealBatch, pb.SealBatchRequest(batch_id=batch_id))
    )


def cancel(session: Session, batch_id: BatchId) -> None:
    """Cancel a batch; results that still come in are counted."""
    request = pb.CancelBatchRequest(batch_id=batch_id)
    _print(session, session.client.call(session.client.stub.CancelBatch, request))


def _print(
    session: Session, response: pb.AddJobsResponse | pb.SealBatchResponse | pb.CancelBatchResponse
) -> None:
    if session.out.as_json:
        session.out.message(response)
    else:
        session.out.line(progress_of(response.batch))
