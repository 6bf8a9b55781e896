"""How batches that are watched are shown: as bars that move, as lines, or as JSON."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batchprogress.bar import BAR_CHARACTERS, LINE_STEP_PERCENT
from batchprogress.cli.cli_errors import Complaint
from batchprogress.cli.following import View
from batchprogress.cli.formatting import clean, counts_of, progress_of, tail_of
from batchprogress.cli.output import Output
from batchprogress.v1 import progress_pb2 as pb

BAR_SHARE = 5
"""A fifth of the line: in 80 columns a batch's name, its counts and its time left stay beside the bar."""
DRAWN_PER_SECOND = 8
"""Looks alive, however many batches change, and costs next to nothing."""


class JsonView:
    """A line of JSON for each change."""

    def __init__(self, out: Output) -> None:
        """Take where to write."""
        self._out = out

    def changed(self, batch: pb.Batch) -> None:
        """Write the batch."""
        self._out.message(batch)

    def asked(self, batch: pb.Batch) -> None:
        """Write nothing: nothing has changed."""

    def missing(self, batch_id: str, complaint: Complaint) -> None:
        """Say so at once: the others may take hours."""
        del batch_id
        typer.echo(f"batchprogress: {complaint}", err=True)


class LineView(JsonView):
    """A line each ten percent, when a batch stalls, and at its end: a dozen lines for a batch."""

    def __init__(self, out: Output) -> None:
        """Begin with nothing shown."""
        super().__init__(out)
        self._next_percents: dict[str, int] = {}

    def changed(self, batch: pb.Batch) -> None:
        """Write a line if it is time for one."""
        is_due = batch.percent_complete >= self._next_percents.get(batch.batch_id, 0)
        if is_due or batch.stall_reason or batch.state != pb.BATCH_STATE_PROCESSING:
            self._next_percents[batch.batch_id] = batch.percent_complete + LINE_STEP_PERCENT
            self._out.line(progress_of(batch))


class LiveView(JsonView):
    """Bars that are drawn again and again, one below the other."""

    def __init__(self, out: Output, batch_ids: Iterable[str]) -> None:
        """Begin with batches of which nothing is known."""
        super().__init__(out)
        self._batches: dict[str, pb.Batch | None] = dict.fromkeys(batch_ids)
        self.live = Live(
            console=out.console,
            get_renderable=lambda: Bars(self._batches),
            refresh_per_second=DRAWN_PER_SECOND,
            # What is said meanwhile goes above the bars, unless it goes elsewhere anyway.
            redirect_stderr=sys.stderr.isatty(),
        )

    def changed(self, batch: pb.Batch) -> None:
        """Let the next drawing show it."""
        self._batches[batch.batch_id] = batch

    def asked(self, batch: pb.Batch) -> None:
        """As above."""
        self.changed(batch)

    def missing(self, batch_id: str, complaint: Complaint) -> None:
        """Take its bar away, and say so."""
        self._batches = {one: batch for one, batch in self._batches.items() if one != batch_id}
        super().missing(batch_id, complaint)


class Bars:
    """Batches as bars, one below the other; of None nothing is known yet."""

    def __init__(self, batches: Mapping[str, pb.Batch | None]) -> None:
        """Take the batches by their ids."""
        self._batches = batches

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a line for each batch; the bars are shorter where there is little room."""
        bar_characters = min(BAR_CHARACTERS, options.max_width // BAR_SHARE)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(overflow="fold")
        table.add_column(width=bar_characters)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for batch_id, batch in self._batches.items():
            if batch is None:
                table.add_row(Text(batch_id), "", "", "", Text("…", style="dim"))
            else:
                table.add_row(
                    Text(clean(batch.display_name) or batch_id),
                    ProgressBar(total=100, completed=batch.percent_complete, width=bar_characters),
                    Text(f"{batch.percent_complete} %"),
                    Text(counts_of(batch)),
                    Text(", ".join(tail_of(batch)), style=_style_of(batch)),
                )
        yield table


def view_for(out: Output, batch_ids: Iterable[str]) -> tuple[View, AbstractContextManager[object]]:
    """Return the view that suits the output, and what is open while it shows."""
    if out.as_json:
        return JsonView(out), nullcontext()
    if not out.is_live:
        return LineView(out), nullcontext()
    view = LiveView(out, batch_ids)
    return view, view.live


def _style_of(batch: pb.Batch) -> str:
    if batch.state == pb.BATCH_STATE_CANCELLED or batch.stall_reason:
        return "yellow"
    return "red" if batch.failed_jobs else ""
