"""Where the story is told, and what a batch looks like in it."""

from typing import Protocol

from rich.table import Table

from batchprogress.v1 import progress_pb2 as pb
from demo.watch import done


class Screen(Protocol):
    """Where the story is told."""

    def title(self, text: str) -> None:
        """Say what the story is about."""

    def doing(self, what: str) -> None:
        """Say what is being waited for; nothing, if it is empty."""

    def tell(self, text: str, *, mark: str = "✓", style: str = "green") -> None:
        """Say what has happened."""

    def quote(self, output: str) -> None:
        """Show what another program printed."""

    def show(self, batch: pb.Batch) -> None:
        """Show how far the batch is."""

    def repaired(self, repair: pb.Repair) -> None:
        """Show what the reconciler did."""

    def summary(self, rows: dict[str, str]) -> None:
        """Show how it came out."""


def describe(batch: pb.Batch) -> str:
    """Return how far a batch is: 1030/1037, 99 %, 12 failed, PROCESSING."""
    tallies = f"{done(batch)}/{batch.total_jobs}, {batch.percent_complete} %, {batch.failed_jobs} failed"
    return f"{tallies}, {_state(batch.state)}"


def before_and_after(repair: pb.Repair) -> Table:
    """Return a repair as a table of two rows, narrow enough for any terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column()
    table.add_column("state")
    for name in ("total", "succeeded", "failed", "skipped", "pending"):
        table.add_column(name, justify="right")
    table.add_row("before", *_cells(repair.before))
    table.add_row("after", *_cells(repair.after), style="bold")
    return table


def _cells(tallies: pb.Tallies) -> list[str]:
    numbers = (
        tallies.total_jobs,
        tallies.succeeded_jobs,
        tallies.failed_jobs,
        tallies.skipped_jobs,
        tallies.pending_jobs,
    )
    return [_state(tallies.state), *(f"{number:,}" for number in numbers)]


def _state(state: pb.BatchState.ValueType) -> str:
    return pb.BatchState.Name(state).removeprefix("BATCH_STATE_")
