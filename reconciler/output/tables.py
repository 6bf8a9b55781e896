"""What a pass did, for people and, in the last line, for machines.

On a terminal the tables have colours and fold long ids; elsewhere they are plain lines of
whatever length they need, since a log must never cut an id.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batches.batch import Batch
from reconciler.decision.not_repaired import ERRORS, LeaveKind
from reconciler.decision.reasons import number_of
from reconciler.run.result import LISTED_MAX, Looked, PassResult
from reconciler.run.sweep import PassReport

LOG_COLUMNS = 10_000
"""Wider than any line of ours: an id, a reason and the numbers."""

_NUMBERS: tuple[tuple[str, Callable[[Batch], str]], ...] = (
    ("state", lambda batch: batch.state.name),
    ("total", lambda batch: f"{batch.total_jobs:,}"),
    ("succeeded", lambda batch: f"{batch.tally.succeeded:,}"),
    ("failed", lambda batch: f"{batch.tally.failed:,}"),
    ("skipped", lambda batch: f"{batch.tally.skipped:,}"),
    ("pending", lambda batch: f"{batch.pending_jobs:,}"),
    ("percent", lambda batch: f"{batch.percent_complete} %"),
)


def report_console() -> Console:
    """Return the console for a report: standard output, as wide as it needs where that is a log."""
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, markup=False, width=LOG_COLUMNS, color_system=None)
    return console


def print_report(console: Console, report: PassReport) -> None:
    """Print the tables, the summary as a sentence, and it again as one line of JSON."""
    record = report.record
    _print_table(console, "Repaired", _repaired_table(console, record.repaired), report.result.repaired)
    for kind in sorted(record.left, key=lambda kind: kind in ERRORS):
        looked = record.left[kind]
        _print_table(console, _title_of(kind), _left_table(console, looked), report.result.left[kind])
    if report.note:
        console.print(report.note)
    console.print(summary(report.result))
    # Not through rich: it would wrap the line at the width of a terminal.
    console.file.write(json.dumps(asdict(report.result)) + "\n")
    console.file.flush()


def summary(result: PassResult) -> str:
    """Return the numbers as a sentence or two."""
    parts = [
        f"looked at {number_of(result.looked_at, 'batch')}",
        f"{result.repaired:,} repaired ({result.completed:,} completed, {result.cancelled:,} cancelled)",
        f"{sum(result.left.values()):,} left ({number_of(result.errors, 'error')})",
        f"{result.results_recorded:,} results recorded, {result.results_counted:,} only counted",
        f"{result.batches_deleted:,} old batches deleted",
    ]
    text = f"{'; '.join(parts)}; {result.seconds:.1f} s."
    if result.cut_short:
        text += f" Cut short, {result.cut_short}: {number_of(result.not_looked_at, 'batch')} not looked at."
    return f"Dry run, nothing was written: {text}" if result.dry_run else text


def changed(before: Batch, after: Batch, number: Callable[[Batch], str]) -> str:
    """Return 1,026 -> 1,033, or one number if it is the same."""
    old, new = number(before), number(after)
    return new if old == new else f"{old} -> {new}"


def _print_table(console: Console, title: str, table: Table, number: int) -> None:
    if not table.row_count:
        return
    console.print(f"{title}: {number:,}", style="bold")
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.file.write(line.rstrip() + "\n")  # rich fills each line up to the widest
    if number > LISTED_MAX:
        console.print(f"... and {number - LISTED_MAX:,} more")


def _repaired_table(console: Console, repaired: Iterable[Looked]) -> Table:
    table = _table(console, "batch", *(name for name, _ in _NUMBERS), "reason")
    for one in repaired:
        numbers = (changed(one.before, one.after, number) for _, number in _NUMBERS)
        table.add_row(*map(Text, (one.before.batch_id, *numbers, _reason(one))))
    return table


def _left_table(console: Console, left: Iterable[Looked]) -> Table:
    table = _table(console, "batch", "pending", "reason")
    for one in left:
        reason = one.left.reason if one.left is not None else ""
        table.add_row(*map(Text, (one.before.batch_id, f"{one.after.pending_jobs:,}", reason)))
    return table


def _table(console: Console, *columns: str) -> Table:
    """On a terminal a cell folds where it is too long; nowhere is one cut."""
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _reason(looked: Looked) -> str:
    """Return why a batch was repaired; of many portions the first one tells how many results were missing."""
    portions = len(looked.reasons)
    return looked.reasons[0] + (f" (recorded in {portions:,} portions)" if portions > 1 else "")


def _title_of(kind: LeaveKind) -> str:
    return ("Error: " if kind in ERRORS else "Left: ") + kind.value.replace("_", " ")
