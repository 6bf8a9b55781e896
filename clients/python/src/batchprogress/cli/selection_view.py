"""How batches with some labels are shown: bars for which the screen has room, below those that have ended."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from batchprogress.cli.following import View
from batchprogress.cli.output import Output
from batchprogress.cli.views import Bars, Drawn, JsonView, LineView, LiveView
from batchprogress.models import Batch

OTHER_LINES = 2
"""The lines of a screen that are not for bars: how many more there are, and the line of the cursor."""


class SelectionView(LiveView):
    """Draws the batches that are processing; one that has ended stands above them with its end."""

    def __init__(self, out: Output) -> None:
        super().__init__(out, ())

    def drawn(self) -> RenderableType:
        """Return the bars."""
        return FittingBars(self._batches)

    def changed(self, batch: Batch) -> None:
        """Draw the batch next, or print its end above the bars."""
        if not batch.has_ended:
            super().changed(batch)
            return
        self.remove(batch.batch_id)
        self._out.console.print(Bars({batch.batch_id: (batch, 0.0)}))


class FittingBars:
    """As many bars as fit on the screen, and how many more there are.

    Args:
        batches: the batches by their ids; those that came first are drawn.

    """

    def __init__(self, batches: Mapping[str, Drawn | None]) -> None:
        self._batches = batches

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the bars."""
        if not self._batches:
            yield Text("waiting for batches", style="dim")
            return
        lines_max = max(1, options.size.height - OTHER_LINES)
        number = min(len(self._batches), lines_max)
        # A long name or reason is folded, so that a bar may need several lines.
        while (lines := len(console.render_lines(self._first(number), options))) > lines_max and number > 1:
            number = max(1, min(number - 1, number * lines_max // lines))
        yield self._first(number)
        if more := len(self._batches) - number:
            yield Text(f"and {more:,} more", style="dim")

    def _first(self, number: int) -> Bars:
        return Bars(dict(islice(self._batches.items(), number)))


def selection_view_for(out: Output) -> tuple[View, AbstractContextManager[object]]:
    """Return the view that suits the output, and the context in which it is drawn."""
    if out.as_json:
        return JsonView(out), nullcontext()
    if not out.is_live:
        return LineView(out), nullcontext()
    view = SelectionView(out)
    return view, view.live
