"""check: compares the tallies of a batch with its results, through the same calls as any client."""

from collections import Counter

import typer

from batchprogress.cli.arguments import BatchIds
from batchprogress.cli.cli_errors import ExitCode
from batchprogress.cli.client import say
from batchprogress.cli.session import Session
from batchprogress.models import Batch, JobOutcome

TRIES = 3
"""How many times a batch is read in all if it changes while its results are read."""


def check(session: Session, batch_ids: BatchIds) -> None:
    """Compare the tallies of batches with their results.

    Reads every result of the batches. A batch that changes meanwhile is read up to three times.

    Exit codes: 0 they agree; 1 they differ, which is a defect; 7 a batch changed each time.
    """
    codes = {_check_one(session, batch_id) for batch_id in batch_ids} - {ExitCode.COMPLETED}
    if codes:
        raise typer.Exit(min(codes))  # a difference counts most


def differences_of(batch: Batch, listed: Counter[JobOutcome], reconciled: int) -> list[str]:
    """Return how a batch differs from its results, as sentences. Pure.

    Args:
        batch: the batch.
        listed: the number of listed results of each outcome.
        reconciled: how many of them came from the reconciler. Results that it took from the counts of a queue
            are not listed.

    """
    counted = Counter(
        {
            JobOutcome.SUCCEEDED: batch.succeeded_jobs,
            JobOutcome.FAILED: batch.failed_jobs,
            JobOutcome.SKIPPED: batch.skipped_jobs,
        }
    )
    found = [
        f"{listed[outcome]:,} {outcome} are listed, {counted[outcome]:,} are counted"
        for outcome in listed - counted
    ]
    missing, without_rows = counted.total() - listed.total(), batch.reconciled_jobs - reconciled
    if not found and missing != without_rows:
        found.append(f"{missing:,} results are not listed, {without_rows:,} came as counts")
    if counted.total() + batch.pending_jobs != batch.total_jobs:
        found.append(f"{counted.total():,} and {batch.pending_jobs:,} pending are not {batch.total_jobs:,}")
    return found


def _check_one(session: Session, batch_id: str) -> ExitCode:
    client = session.client
    for _ in range(TRIES):
        batch = client.get(batch_id)
        listed: Counter[JobOutcome] = Counter()
        reconciled = 0
        for result in client.results(batch_id):
            listed[result.outcome] += 1
            reconciled += result.reconciled
        if client.get(batch_id).revision == batch.revision:
            found = differences_of(batch, listed, reconciled)
            _print(session, batch_id, listed.total(), found)
            return ExitCode.WITH_FAILURES if found else ExitCode.COMPLETED
    say(f"{batch_id} changed each of the {TRIES} times it was read: check it when no results arrive")
    return ExitCode.MOVED


def _print(session: Session, batch_id: str, results: int, found: list[str]) -> None:
    if session.out.as_json:
        session.out.values({"batch_id": batch_id, "results": results, "differences": found})
    else:
        session.out.line(f"{batch_id}: {results:,} results, {'; '.join(found) or 'no differences'}")
