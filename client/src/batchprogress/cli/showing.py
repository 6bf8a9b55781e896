"""show: everything about one batch."""

from batchprogress.bar import pace_of
from batchprogress.cli.arguments import BatchId
from batchprogress.cli.formatting import clean, labels_of, moment, state_of, sum_of
from batchprogress.cli.output import values_of
from batchprogress.cli.session import Session
from batchprogress.v1 import progress_pb2 as pb

REPAIRS_MAX = 1_000
"""A batch is repaired once, or a few times while its queue comes back."""
_NUMBERS = ("total_jobs", "succeeded_jobs", "failed_jobs", "skipped_jobs", "pending_jobs")


def show(session: Session, batch_id: BatchId) -> None:
    """Show a batch: its tallies, its pace, why it stalls, and what the reconciler did to it."""
    client = session.client
    batch = client.call(client.stub.GetBatch, pb.GetBatchRequest(batch_id=batch_id)).batch
    request = pb.ListRepairsRequest(batch_id=batch_id)
    pages = client.pages(client.stub.ListRepairs, request, REPAIRS_MAX)
    repairs = [repair for page in pages for repair in page.repairs]
    if session.out.as_json:
        session.out.values({"batch": values_of(batch), "repairs": [values_of(repair) for repair in repairs]})
        return
    for name, value in _facts(batch):
        if value:
            session.out.line(f"{name:<12} {value}")
    if repairs:
        session.out.line(f"\nRepairs: {len(repairs):,}")
        columns = ("when", "state", *(name.removesuffix("_jobs") for name in _NUMBERS), "reason")
        session.out.table(columns, map(_repair_row, repairs))


def _facts(batch: pb.Batch) -> list[tuple[str, str]]:
    """Return what there is to say; what is empty is not said."""
    is_processing = batch.state == pb.BATCH_STATE_PROCESSING
    pace = pace_of(batch) if is_processing and batch.jobs_per_second > 0 else []
    growing = "" if batch.sealed else ", unsealed: more jobs may be added"
    by_reconciler = f"{batch.reconciled_jobs:,} of the results came from the reconciler"
    return [
        ("batch", batch.batch_id),
        ("name", clean(batch.display_name)),
        ("labels", labels_of(batch)),
        ("state", state_of(batch.state) + growing),
        ("jobs", sum_of(batch)),
        ("complete", f"{batch.percent_complete} %"),
        ("pace", ", ".join(pace)),
        ("stalled", clean(batch.stall_reason)),
        ("created", moment(batch.create_time)),
        ("last result", moment(batch.last_result_time) if batch.HasField("last_result_time") else ""),
        ("ended", moment(batch.complete_time) if batch.HasField("complete_time") else ""),
        ("repaired", by_reconciler if batch.reconciled_jobs else ""),
        ("revision", f"{batch.revision:,}"),
    ]


def _repair_row(repair: pb.Repair) -> tuple[str, ...]:
    return (
        moment(repair.repair_time),
        _changed(state_of(repair.before.state), state_of(repair.after.state)),
        *(
            _changed(f"{getattr(repair.before, name):,}", f"{getattr(repair.after, name):,}")
            for name in _NUMBERS
        ),
        clean(repair.reason),
    )


def _changed(before: str, after: str) -> str:
    """Return 7 -> 0, or one of them if they are the same."""
    return after if before == after else f"{before} -> {after}"
