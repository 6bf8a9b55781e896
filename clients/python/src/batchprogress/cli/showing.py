"""show: everything about one batch."""

from itertools import islice

from batchprogress.bar_line import end_of, limit_of, pace_of
from batchprogress.cli.arguments import BatchId
from batchprogress.cli.formatting import clean, labels_of, moment, sum_of
from batchprogress.cli.output import values_of
from batchprogress.cli.session import Session
from batchprogress.cli.table import Column, Row
from batchprogress.models import Batch, Repair

REPAIRS_MAX = 1_000
"""A batch is repaired once, or a few times while its queue recovers."""
_NUMBERS = ("total_jobs", "succeeded_jobs", "failed_jobs", "skipped_jobs", "pending_jobs")
REPAIR_COLUMNS = (
    Column("when"),
    Column("state"),
    *(Column(name.removesuffix("_jobs")) for name in _NUMBERS),
    Column("reason", least=20, folds=True),
)


def show(session: Session, batch_id: BatchId) -> None:
    """Show a batch with its tallies, rate, stall and repairs."""
    batch = session.client.get(batch_id)
    repairs = list(islice(session.client.repairs(batch_id), REPAIRS_MAX))
    if session.out.as_json:
        listed = [values_of(repair.message) for repair in repairs]
        session.out.values({"batch": values_of(batch.message), "repairs": listed})
        return
    for name, value in _facts(batch):
        if value:
            session.out.line(f"{name:<12} {value}")
    if repairs:
        session.out.line(f"\nRepairs: {len(repairs):,}")
        session.out.table(REPAIR_COLUMNS, map(_repair_row, repairs))


def _facts(batch: Batch) -> list[tuple[str, str]]:
    """Return what there is to tell about a batch; an empty value is not shown."""
    moves = not batch.has_ended and batch.jobs_per_second > 0
    by_reconciler = f"{batch.reconciled_jobs:,} of the results came from the reconciler"
    return [
        ("batch", batch.batch_id),
        ("name", clean(batch.display_name)),
        ("labels", labels_of(batch)),
        ("state", end_of(batch) + ("" if batch.sealed else ", unsealed: more jobs may be added")),
        ("jobs", sum_of(batch)),
        ("may fail", limit_of(batch)),
        ("complete", f"{batch.percent_complete} %"),
        ("pace", ", ".join(pace_of(batch)) if moves else ""),
        ("stalled", clean(batch.stall_reason)),
        ("created", moment(batch.create_time)),
        ("last result", moment(batch.last_result_time)),
        ("ended", moment(batch.complete_time)),
        ("repaired", by_reconciler if batch.reconciled_jobs else ""),
        ("revision", f"{batch.revision:,}"),
    ]


def _repair_row(repair: Repair) -> Row:
    return (
        repair.repair_time,
        _changed(repair.before.state, repair.after.state),
        *(
            _changed(f"{getattr(repair.before, name):,}", f"{getattr(repair.after, name):,}")
            for name in _NUMBERS
        ),
        clean(repair.reason),
    )


def _changed(before: str, after: str) -> str:
    """Return `7 -> 0`, or only the value if it did not change."""
    return after if before == after else f"{before} -> {after}"
