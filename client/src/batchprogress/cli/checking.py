"""check: whether a batch's tallies are what its listed results add up to, as any client can see it."""

from collections import Counter
from typing import Annotated

import typer

from batchprogress.cli.arguments import identifiers
from batchprogress.cli.cli_errors import Complaint, Exit
from batchprogress.cli.client import PAGE_SIZE_MAX, Client
from batchprogress.cli.formatting import clean
from batchprogress.cli.session import Session
from batchprogress.v1 import progress_pb2 as pb

TRIES = 3
"""A batch that gets reports while its results are listed is looked at again, so many times in all."""


def check(
    session: Session,
    batch_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", callback=identifiers, help="The batches.")
    ],
) -> None:
    """Compare the tallies of batches with the results that are listed; with --json an object a batch.

    Reads every result of the batches, through the same calls as anyone. A batch must hold still meanwhile:
    one that moves is looked at three times.

    Exit codes: 0 they agree; 1 they differ, which is a defect; 7 a batch moved each time.
    """
    codes = [_check_one(session, batch_id) for batch_id in dict.fromkeys(batch_ids)]
    if code := min((code for code in codes if code), default=0):  # a difference counts most
        raise typer.Exit(code)


def differences_of(batch: pb.Batch, listed: Counter[pb.JobOutcome.ValueType], reconciled: int) -> list[str]:
    """Return in what a batch differs from its results, as sentences; `reconciled` of the results are. Pure.

    What the reconciler took from a queue's counts has no rows: so many may be missing, and no more.
    """
    tallies = {
        pb.JOB_OUTCOME_SUCCEEDED: batch.succeeded_jobs,
        pb.JOB_OUTCOME_FAILED: batch.failed_jobs,
        pb.JOB_OUTCOME_SKIPPED: batch.skipped_jobs,
    }
    found = [
        f"{listed[outcome]:,} {_name(outcome)} are listed, {tally:,} are counted"
        for outcome, tally in tallies.items()
        if listed[outcome] > tally
    ]
    missing, counted_only = sum(tallies.values()) - listed.total(), batch.reconciled_jobs - reconciled
    if not found and missing != counted_only:
        found.append(f"{missing:,} results are not listed, {counted_only:,} came as counts")
    if sum(tallies.values()) + batch.pending_jobs != batch.total_jobs:
        found.append(
            f"{sum(tallies.values()):,} and {batch.pending_jobs:,} pending are not {batch.total_jobs:,}"
        )
    return found


def _check_one(session: Session, batch_id: str) -> Exit:
    for _ in range(TRIES):
        batch = _read(session.client, batch_id)
        listed, reconciled = _listed(session.client, batch_id)
        if _read(session.client, batch_id).revision == batch.revision:
            found = differences_of(batch, listed, reconciled)
            _tell(session, batch_id, listed.total(), found)
            return Exit.WITH_FAILURES if found else Exit.COMPLETED
    complaint = Complaint(
        f"{clean(batch_id)} moved each of the {TRIES} times it was looked at: check it when it is quiet",
        Exit.MOVED,
    )
    typer.echo(f"batchprogress: {complaint}", err=True)
    return complaint.code


def _read(client: Client, batch_id: str) -> pb.Batch:
    return client.call(client.stub.GetBatch, pb.GetBatchRequest(batch_id=batch_id)).batch


def _listed(client: Client, batch_id: str) -> tuple[Counter[pb.JobOutcome.ValueType], int]:
    """Return how many results of each outcome are listed, and how many of all came from the reconciler."""
    listed: Counter[pb.JobOutcome.ValueType] = Counter()
    reconciled = 0
    request = pb.ListJobResultsRequest(batch_id=batch_id, page_size=PAGE_SIZE_MAX)
    for page in client.all_pages(client.stub.ListJobResults, request):
        listed.update(result.outcome for result in page.job_results)
        reconciled += sum(result.reconciled for result in page.job_results)
    return listed, reconciled


def _tell(session: Session, batch_id: str, results: int, found: list[str]) -> None:
    if session.out.as_json:
        session.out.values({"batch_id": batch_id, "results": results, "differences": found})
    else:
        session.out.line(f"{batch_id}: {results:,} results, {'; '.join(found) or 'no differences'}")


def _name(outcome: pb.JobOutcome.ValueType) -> str:
    return pb.JobOutcome.Name(outcome).removeprefix("JOB_OUTCOME_").lower()
