"""Prints what a pass did: tables for people and, in the last line, JSON for programs.

On a terminal the tables have colours, and long ids fold. Elsewhere each row is one plain line,
as long as it has to be, because a log must never cut an id.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batches.batch import Batch
from reconciler.decision.not_repaired import ERRORS, NotRepairedReason
from reconciler.output.wording import number_of, sentence
from reconciler.run.result import LISTED_MAX, BatchResult, RunReport, RunSummary

LOG_COLUMNS = 10_000
"""Wider than any line of a report."""

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
    """Return a console on standard output that is as wide as necessary if that is not a terminal."""
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, markup=False, width=LOG_COLUMNS, color_system=None)
    return console


def print_report(console: Console, report: RunReport) -> None:
    """Print the tables, a note if there is one, the summary as text, and the summary as one line of JSON."""
    numbers, log = report.summary, report.log
    dry_run = numbers.dry_run
    table = _repaired_table(console, log.repaired, dry_run=dry_run)
    _print_table(console, "Would be repaired" if dry_run else "Repaired", table, numbers.repaired)
    for reason in sorted(log.not_repaired, key=lambda reason: reason in ERRORS):
        table = _not_repaired_table(console, log.not_repaired[reason], dry_run=dry_run)
        _print_table(console, _title_of(reason, dry_run=dry_run), table, numbers.left[reason])
    if note := note_of(report):
        console.print(note)
    console.print(summary(numbers))
    # Not with console.print, which would wrap the line at the width of a terminal.
    console.file.write(json.dumps(asdict(numbers)) + "\n")
    console.file.flush()


def note_of(report: RunReport) -> str:
    """Return why a pass did nothing; empty if it did something."""
    if report.summary.lease_held_elsewhere:
        return "another pass is running: nothing was done"
    if report.log.missing_batch_id:
        return f"there is no batch {report.log.missing_batch_id}"
    return ""


def summary(numbers: RunSummary) -> str:
    """Return the numbers of a pass as text."""
    be, only, would_not = (
        ("would be ", "would only be", "would not be") if numbers.dry_run else ("", "only", "not")
    )
    of_them = f"{numbers.completed:,} {be}completed, {numbers.cancelled:,} {be}cancelled"
    parts = [
        f"checked {number_of(numbers.looked_at, 'batch')} in {numbers.seconds:.1f} s",
        f"{numbers.repaired:,} {be}repaired ({of_them})",
        f"{sum(numbers.left.values()):,} {would_not} repaired ({number_of(numbers.errors, 'error')})",
        f"{numbers.results_recorded:,} results {be}recorded, {numbers.results_counted:,} {only} counted",
    ]
    if not numbers.dry_run:
        parts.append(f"{numbers.batches_deleted:,} old batches deleted")
    text = "; ".join(parts) + "."
    if numbers.needs_person:
        text += f" {number_of(numbers.needs_person, 'batch', 'needs')} a person."
    if numbers.cut_short:
        not_checked = number_of(numbers.not_looked_at, "batch", "was")
        text += f" Stopped early ({numbers.cut_short}): {not_checked} not checked."
    return f"Dry run, nothing was written: {text}" if numbers.dry_run else text


def changed(before: Batch, after: Batch, number: Callable[[Batch], str]) -> str:
    """Return a number before and after, as in "1,026 -> 1,033", or once if it is the same."""
    old, new = number(before), number(after)
    return new if old == new else f"{old} -> {new}"


def _print_table(console: Console, title: str, table: Table, number: int) -> None:
    if not table.row_count:
        return
    console.print(f"{title}: {number:,}", style="bold")
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.file.write(line.rstrip() + "\n")  # rich pads every line to the widest
    if number > LISTED_MAX:
        console.print(f"... and {number - LISTED_MAX:,} more")


def _repaired_table(console: Console, repaired: Iterable[BatchResult], *, dry_run: bool) -> Table:
    table = _table(console, "batch", *(name for name, _ in _NUMBERS), "reason")
    for one in repaired:
        numbers = (changed(one.before, one.after, number) for _, number in _NUMBERS)
        table.add_row(*map(Text, (one.before.batch_id, *numbers, _reason_of(one, dry_run=dry_run))))
    return table


def _not_repaired_table(console: Console, results: Iterable[BatchResult], *, dry_run: bool) -> Table:
    table = _table(console, "batch", "pending", "reason")
    for one in results:
        reason = sentence(one.not_repaired.told, dry_run=dry_run) if one.not_repaired is not None else ""
        table.add_row(*map(Text, (one.before.batch_id, f"{one.after.pending_jobs:,}", reason)))
    return table


def _table(console: Console, *columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _reason_of(repaired: BatchResult, *, dry_run: bool) -> str:
    """Return why a batch was repaired; the first of several portions says how many results were missing."""
    portions = len(repaired.repairs)
    suffix = f" (in {portions:,} portions)" if portions > 1 else ""
    return sentence(repaired.repairs[0], dry_run=dry_run) + suffix


def _title_of(reason: NotRepairedReason, *, dry_run: bool) -> str:
    not_repaired = "Would not be repaired" if dry_run else "Not repaired"
    group = "Error" if reason in ERRORS else not_repaired
    return f"{group} ({reason.replace('_', ' ')})"
