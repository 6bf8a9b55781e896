"""Where the story is shown, and how a batch and a repair look in it."""

from typing import Protocol

from rich.table import Table

from batchprogress import Batch, Repair, Tallies


class Screen(Protocol):
    """Where the story is shown."""

    def title(self, text: str) -> None:
        """Show what the story is about."""

    def doing(self, what: str) -> None:
        """Show what is in progress; an empty text ends it."""

    def tell(self, text: str, *, mark: str = "✓", style: str = "green") -> None:
        """Show what has happened."""

    def quote(self, output: str) -> None:
        """Show the output of another program."""

    def show(self, batch: Batch) -> None:
        """Show the progress of the batch."""

    def repaired(self, repair: Repair) -> None:
        """Show a repair."""

    def summary(self, rows: dict[str, str]) -> None:
        """Show the figures of the whole story."""


def describe(batch: Batch) -> str:
    """Return the progress of a batch, such as 1030/1037, 99 %, 12 failed, processing."""
    counts = f"{batch.ended_jobs}/{batch.total_jobs}, {batch.percent_complete} %, {batch.failed_jobs} failed"
    return f"{counts}, {batch.state}"


def before_and_after(repair: Repair) -> Table:
    """Return a repair as a table of two rows, narrow enough for any terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column()
    table.add_column("state")
    for name in ("total", "succeeded", "failed", "skipped", "pending"):
        table.add_column(name, justify="right")
    table.add_row("before", *_cells(repair.before))
    table.add_row("after", *_cells(repair.after), style="bold")
    return table


def _cells(tallies: Tallies) -> list[str]:
    numbers = (
        tallies.total_jobs,
        tallies.succeeded_jobs,
        tallies.failed_jobs,
        tallies.skipped_jobs,
        tallies.pending_jobs,
    )
    return [tallies.state, *(f"{number:,}" for number in numbers)]
