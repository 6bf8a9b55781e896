"""How watched batches are shown: as JSON, as lines, or as bars that move."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batchprogress.bar_line import BAR_CHARACTERS, counts_of
from batchprogress.bar_screens import LINE_STEP_PERCENT
from batchprogress.cli.client import say
from batchprogress.cli.following import View
from batchprogress.cli.formatting import clean, details_of, progress_of
from batchprogress.cli.output import Output
from batchprogress.models import Batch, BatchState

BAR_SHARE = 5
"""The bar takes a fifth of the line: in 80 columns the name, the counts and the time left fit beside it."""
NAME_SHARE = 4
"""Names take up to a quarter of the line, and more if a single word of them, such as an id, is longer."""
BESIDE_CHARACTERS = 36
"""What stands beside name and bar: percent, counts of some thousands, twelve characters of details, gaps."""
DRAWN_PER_SECOND = 8
"""Looks alive however many batches change, and costs next to nothing."""

Drawn = tuple[Batch, float]
"""A batch, and for how many seconds no message about it has arrived."""


class JsonView:
    """Prints a line of JSON for each change."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def changed(self, batch: Batch) -> None:
        """Print the batch."""
        self._out.message(batch.message)

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Print nothing: nothing has changed."""

    def missing(self, batch_id: str, sentence: str) -> None:
        """Say it at once: the other batches may take hours."""
        del batch_id
        say(sentence)


class LineView(JsonView):
    """Prints a line every ten percent, at a stall, and at the end: about a dozen lines per batch."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._next_percents: dict[str, int] = {}

    def changed(self, batch: Batch) -> None:
        """Print a line if one is due."""
        is_due = batch.percent_complete >= self._next_percents.get(batch.batch_id, 0)
        if is_due or batch.stall_reason or batch.has_ended:
            self._next_percents[batch.batch_id] = batch.percent_complete + LINE_STEP_PERCENT
            self._out.line(progress_of(batch))
        if batch.has_ended:
            self._next_percents.pop(batch.batch_id, None)  # a watch of many has no end

    def missing(self, batch_id: str, sentence: str) -> None:
        """Say it, and forget the batch."""
        self._next_percents.pop(batch_id, None)
        super().missing(batch_id, sentence)


class LiveView(JsonView):
    """Draws bars below each other, again and again."""

    def __init__(self, out: Output, batch_ids: Iterable[str]) -> None:
        super().__init__(out)
        self._batches: dict[str, Drawn | None] = dict.fromkeys(batch_ids)
        self.live = Live(
            console=out.console,
            get_renderable=self.drawn,
            refresh_per_second=DRAWN_PER_SECOND,
            # A sentence for people goes above the bars, unless standard error goes elsewhere.
            redirect_stderr=sys.stderr.isatty(),
        )

    def drawn(self) -> RenderableType:
        """Return what is drawn next. Another thread calls it: the set of batches is replaced, not changed."""
        return Bars(self._batches)

    def changed(self, batch: Batch) -> None:
        """Let the next drawing show the batch."""
        self.aged(batch, 0.0)

    def aged(self, batch: Batch, silent_seconds: float) -> None:
        """Let the next drawing show the batch."""
        drawn = (batch, silent_seconds)
        if batch.batch_id in self._batches:
            self._batches[batch.batch_id] = drawn
        else:
            self._batches = {**self._batches, batch.batch_id: drawn}

    def missing(self, batch_id: str, sentence: str) -> None:
        """Remove the bar, and say why."""
        self.remove(batch_id)
        super().missing(batch_id, sentence)

    def remove(self, batch_id: str) -> None:
        """Remove the bar."""
        self._batches = {one: drawn for one, drawn in self._batches.items() if one != batch_id}


class Bars:
    """Batches as bars below each other.

    Args:
        batches: the batches by their ids; None for one that has not been received yet.

    """

    def __init__(self, batches: Mapping[str, Drawn | None]) -> None:
        self._batches = batches

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a line for each batch; a narrow terminal gets shorter bars."""
        bar_characters = min(BAR_CHARACTERS, options.max_width // BAR_SHARE)
        names = [_name_of(batch_id, drawn) for batch_id, drawn in self._batches.items()]
        # Ids stay whole if there is room for them, at the cost of the bar.
        word = max((len(part) for name in names for part in name.split()), default=0)
        name_width = max(word, min(max(map(len, names), default=0), options.max_width // NAME_SHARE))
        room = options.max_width - name_width - BESIDE_CHARACTERS
        if room >= 0:
            bar_characters = min(bar_characters, room)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(overflow="fold", width=name_width if room >= 0 else None)
        table.add_column(width=bar_characters)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for name, drawn in zip(names, self._batches.values(), strict=True):
            if drawn is None:
                table.add_row(Text(name), "", "", "", Text("…", style="dim"))
            else:
                batch, silent_seconds = drawn
                table.add_row(
                    Text(name),
                    ProgressBar(total=100, completed=batch.percent_complete, width=bar_characters),
                    Text(f"{batch.percent_complete} %"),
                    Text(counts_of(batch)),
                    Text(", ".join(details_of(batch, silent_seconds)), style=_style_of(batch)),
                )
        yield table


def view_for(out: Output, batch_ids: Iterable[str]) -> tuple[View, AbstractContextManager[object]]:
    """Return the view that suits the output, and the context in which it is drawn."""
    if out.as_json:
        return JsonView(out), nullcontext()
    if not out.is_live:
        return LineView(out), nullcontext()
    view = LiveView(out, batch_ids)
    return view, view.live


def _name_of(batch_id: str, drawn: Drawn | None) -> str:
    return (clean(drawn[0].display_name) if drawn else "") or batch_id


def _style_of(batch: Batch) -> str:
    if batch.state is BatchState.CANCELLED or batch.stall_reason:
        return "yellow"
    return "red" if batch.failed_jobs else ""
