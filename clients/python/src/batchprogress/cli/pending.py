"""pending: the jobs of a batch that the queue had not ended when the reconciler last looked."""

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean, moment
from batchprogress.cli.session import Session
from batchprogress.cli.table import Column, Row
from batchprogress.models import PendingJob, PendingJobs

LISTED_MAX = 1_000
"""The contract's: the reconciler keeps the first 1,000 pending jobs of a look."""
COLUMNS = (Column("job"), Column("attempt"), Column("name", least=12))


def pending(session: Session, batch_id: BatchId) -> None:
    """List the jobs that were pending at the last look.

    Lists the jobs that the reconciler found pending in the queue when it last looked at the batch. Standard
    error says when that was, and why the batch was left open. To ask the queue now, run
    python -m reconciler --batch-id ID --list-pending.
    """
    found = session.client.pending_jobs(batch_id)
    say(_look_of(found))
    if len(found.jobs) == LISTED_MAX:
        say("these are the first 1,000; list all with python -m reconciler --batch-id ID --list-pending")
    if session.out.as_json:
        for job in found.jobs:
            session.out.message(job.message)
    elif found.jobs:
        session.out.table(COLUMNS, map(_row, found.jobs))


def _look_of(found: PendingJobs) -> str:
    if found.look_time is None:
        return "the reconciler has not looked at the batch since its last result"
    return f"looked at {moment(found.look_time)}: {clean(found.reason)}"


def _row(job: PendingJob) -> Row:
    return job.job_id, f"{job.attempt:,}", clean(job.display_name)
